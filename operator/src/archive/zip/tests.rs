//! Archives that are read, and those that somebody made to be misread.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use rstest::rstest;

use super::*;

const BOUNDS: Bounds = Bounds {
    files: 3,
    bytes: 100,
};

fn two() -> Vec<u8> {
    write(&[("a.rego", b"package a"), ("b/c.json", b"{}")])
}

/// Runs a program of Python with something on its standard input.
fn python(program: &str, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let ran = child.wait_with_output().unwrap();
    assert!(ran.status.success());
    ran.stdout
}

/// An archive that Python writes to a stream, as Go does: sizes behind the files.
fn streamed(body: &str) -> Vec<u8> {
    let program = format!(
        "
import sys, zipfile
class Stream:
    def write(self, data): return sys.stdout.buffer.write(data)
    def flush(self): sys.stdout.buffer.flush()
with zipfile.ZipFile(Stream(), 'w', zipfile.ZIP_DEFLATED) as z:
    {body}
"
    );
    python(&program, b"")
}

/// The archive with some bytes of it replaced. `at` is counted from the start, or from the end.
fn with(archive: &[u8], at: isize, bytes: &[u8]) -> Vec<u8> {
    let mut archive = archive.to_vec();
    let start = if at < 0 {
        archive.len().checked_add_signed(at).unwrap()
    } else {
        at.unsigned_abs()
    };
    archive[start..start + bytes.len()].copy_from_slice(bytes);
    archive
}

/// The place of the first entry of the directory of [`two`].
fn directory() -> isize {
    let archive = two();
    let mark = CENTRAL.to_le_bytes();
    let at = archive.windows(4).position(|window| window == mark);
    at.unwrap().cast_signed()
}

#[test]
fn what_is_written_is_read_and_is_always_the_same() {
    let expected = [
        ("a.rego".to_owned(), b"package a".to_vec()),
        ("b/c.json".to_owned(), b"{}".to_vec()),
    ];
    assert_eq!(read(&two(), BOUNDS).unwrap(), expected);
    assert_eq!(two(), two());
    assert_eq!(read(&write(&[]), BOUNDS).unwrap(), []);
    let program = "
import io, sys, zipfile
z = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read()))
assert z.testzip() is None
print([(i.filename, z.read(i).decode(), i.date_time[0]) for i in z.infolist()])";
    let told = String::from_utf8(python(program, &two())).unwrap();
    assert_eq!(
        told,
        "[('a.rego', 'package a', 1980), ('b/c.json', '{}', 1980)]\n"
    );
}

#[test]
fn what_others_write_is_read() {
    let archive = streamed("z.writestr('a', 'x' * 90); z.writestr('b', 'é')");
    let expected = [
        ("a".to_owned(), vec![b'x'; 90]),
        ("b".to_owned(), "é".as_bytes().to_vec()),
    ];
    assert_eq!(read(&archive, BOUNDS).unwrap(), expected);
}

#[rstest]
#[case::one_file_more("[z.writestr(n, '') for n in 'abcd']", &ZipFault::Many(3))]
#[case::one_byte_more("z.writestr('a', 'x' * 50); z.writestr('b', 'x' * 51)", &ZipFault::Large(100))]
#[case::a_bomb("z.writestr('a', b'x' * (1 << 24))", &ZipFault::Large(100))]
#[case::twice("z.writestr('a', ''); z.writestr('a', '')", &ZipFault::Twice("a".into()))]
#[case::parent("z.writestr('../a', '')", &ZipFault::Path("../a".into()))]
#[case::parent_within("z.writestr('a/../b', '')", &ZipFault::Path("a/../b".into()))]
#[case::absolute("z.writestr(zipfile.ZipInfo('/a'), '')", &ZipFault::Path("/a".into()))]
#[case::backslash("z.writestr('a\\\\\\\\b', '')", &ZipFault::Path("a\\\\b".into()))]
#[case::drive("z.writestr('c:a', '')", &ZipFault::Path("c:a".into()))]
#[case::hidden("z.writestr('.archive.json', '')", &ZipFault::Path(".archive.json".into()))]
#[case::long("z.writestr('a' * 256, '')", &ZipFault::Path("a".repeat(256)))]
#[case::folder("z.mkdir('a')", &ZipFault::Path("a/".into()))]
#[case::link(
    "i = zipfile.ZipInfo('a'); i.external_attr = 0o120777 << 16; z.writestr(i, '/etc/passwd')",
    &ZipFault::Unsupported("folders, links or devices")
)]
#[case::device(
    "i = zipfile.ZipInfo('a'); i.external_attr = 0o020666 << 16; z.writestr(i, '')",
    &ZipFault::Unsupported("folders, links or devices")
)]
#[case::another_compression(
    "z.writestr('a', 'x', zipfile.ZIP_BZIP2)",
    &ZipFault::Unsupported("another compression than deflation")
)]
#[case::a_comment("z.comment = b'x'", &ZipFault::NotZip)]
fn archives_that_are_refused(#[case] body: &str, #[case] expected: &ZipFault) {
    assert_eq!(read(&streamed(body), BOUNDS).err().as_ref(), Some(expected));
}

/// Each says one thing to one reader and another to the next.
#[rstest]
#[case::cut_short(two()[..60].to_vec())]
#[case::something_behind([two(), b"x".to_vec()].concat())]
#[case::something_before([b"x".to_vec(), two()].concat())]
#[case::fewer_files(with(&two(), -14, &[1, 0, 1, 0]))]
#[case::more_files(with(&two(), -14, &[3, 0, 3, 0]))]
#[case::files_on_another_disk(with(&two(), -14, &[1, 0]))]
#[case::another_directory(with(&two(), -6, &[0, 0, 0, 0]))]
#[case::another_name(with(&two(), 30, b"x"))]
#[case::another_content(with(&two(), 36, b"x"))]
#[case::another_sum(with(&two(), 14, &[0]))]
#[case::another_length(with(&two(), 22, &[1]))]
#[case::encrypted(with(&two(), directory() + 8, &[1]))]
#[case::packed_to_64_bits(with(&two(), directory() + 20, &[0xff; 4]))]
#[case::longer_than_all(with(&two(), directory() + 20, &[0xff, 0xff, 0xff, 0x7f]))]
#[case::far_away(with(&two(), directory() + 42, &[0xff, 0xff, 0xff, 0x7f]))]
#[case::a_file_over_another(with(&two(), directory() + 46 + 6 + 42, &[0, 0, 0, 0]))]
#[case::nothing(Vec::new())]
fn archives_that_contradict_themselves(#[case] archive: Vec<u8>) {
    assert!(read(&archive, BOUNDS).is_err());
}

/// Whatever a byte becomes, reading ends, and within the bounds.
#[test]
fn no_byte_ends_the_reader() {
    let archive = streamed("z.writestr('a', 'x' * 40); z.writestr('b', 'y')");
    for at in 0..archive.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = archive.clone();
            changed[at] = byte;
            if let Ok(files) = read(&changed, BOUNDS) {
                let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
                assert!(bytes <= 100 && files.len() <= 3);
            }
        }
    }
}
