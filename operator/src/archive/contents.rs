//! An archive's two layers: what is signed, and the signature.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_webhook::ArchiveFault;

use super::{
    files::Files,
    key::{PublicKey, SigningKey},
    metadata::Metadata,
    trust::Trust,
    zip::{self, Bounds, ZipFault},
};

/// The signed part, by the name that the TSA policy service gives it.
const BUNDLE: &str = "policy_bundle.zip";
/// Its signature.
const SIGNATURE: &str = "signature.raw";
/// What the bundle says of itself; its first file.
const METADATA: &str = "metadata.json";

/// Largest archive. An object of the API server has 3 MiB at most, and a policy in a directory that
/// has more data is not for handing around.
pub(crate) const MAX_ARCHIVE: usize = 8 << 20;

/// Most bytes of a bundle's files, expanded: what one file of a directory may have.
pub(super) const MAX_EXPANDED: usize = 16 << 20;

/// Most files of a bundle: the 64 modules that a policy may have, as many tests, and its settings.
const MAX_FILES: usize = 136;

/// Signs files. The signed part is the same bytes for the same files and metadata; the whole archive
/// is, where the key's signatures are.
pub(super) fn seal(
    metadata: &Metadata,
    files: &Files,
    key: &SigningKey,
) -> Result<Sealed, ArchiveFault> {
    let metadata = serde_json::to_vec(metadata).expect("metadata must serialise");
    let mut listed: Vec<(&str, &[u8])> = vec![(METADATA, &metadata)];
    let texts = files.0.iter();
    listed.extend(texts.map(|(path, text)| (path.as_str(), text.as_bytes())));
    let bytes: usize = listed
        .iter()
        .map(|(path, content)| path.len() + content.len())
        .sum();
    if listed.len() > MAX_FILES || bytes > MAX_ARCHIVE - (64 << 10) {
        let text = format!(
            "the policy is larger than an archive may be: {MAX_FILES} files and {} MiB",
            MAX_ARCHIVE >> 20
        );
        return Err(ArchiveFault::TooLarge(text));
    }
    let bundle = zip::write(&listed);
    let sum = digest(&SHA256, &bundle);
    let signature = key.sign(sum.as_ref()).ok_or_else(|| {
        ArchiveFault::Unavailable("this system has no randomness to sign with".to_owned())
    })?;
    let archive = zip::write(&[(BUNDLE, &bundle), (SIGNATURE, &signature)]);
    let tag = [sum.as_ref(), key.public().id().as_bytes()].concat();
    let tag = super::files::hexadecimal(digest(&SHA256, &tag).as_ref());
    Ok(Sealed { archive, tag })
}

/// An archive, and what names its signed part and its signer.
pub(super) struct Sealed {
    pub(super) archive: Vec<u8>,
    pub(super) tag: String,
}

/// What a trusted signer signed.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) signer: PublicKey,
    /// SHA-256 of the signed part.
    pub(super) sum: String,
    pub(super) metadata: Metadata,
    pub(super) files: Files,
}

/// Verifies an archive, and only then reads what is in it.
pub(super) fn open(archive: &[u8], trust: &Trust) -> Result<Opened, ArchiveFault> {
    if archive.len() > MAX_ARCHIVE {
        let text = format!("the archive is larger than {} MiB", MAX_ARCHIVE >> 20);
        return Err(ArchiveFault::TooLarge(text));
    }
    let outer = Bounds {
        files: 2,
        bytes: MAX_ARCHIVE,
    };
    let layers = zip::read(archive, outer).map_err(refused)?;
    let [(bundle, content), (signature, signed)] = layers.as_slice() else {
        return Err(invalid("it does not have two files"));
    };
    if (bundle.as_str(), signature.as_str()) != (BUNDLE, SIGNATURE) {
        return Err(invalid(&format!(
            "its files are not `{BUNDLE}` and `{SIGNATURE}`"
        )));
    }
    let sum = digest(&SHA256, content);
    let signer = trust.signer(sum.as_ref(), signed).ok_or_else(|| {
        let text = "no key that the administrator configured has signed the archive";
        ArchiveFault::Untrusted(text.to_owned())
    })?;
    let inner = Bounds {
        files: MAX_FILES,
        bytes: MAX_EXPANDED,
    };
    let mut files = zip::read(content, inner).map_err(refused)?.into_iter();
    let metadata = files.next().filter(|(path, _)| path == METADATA);
    let (_, metadata) =
        metadata.ok_or_else(|| invalid(&format!("`{METADATA}` is not its first file")))?;
    let metadata = serde_json::from_slice(&metadata)
        .map_err(|error| invalid(&format!("`{METADATA}`: {error}")))?;
    let mut texts = BTreeMap::new();
    for (path, content) in files {
        let text =
            String::from_utf8(content).map_err(|_| invalid(&format!("`{path}` is not UTF-8")))?;
        texts.insert(path, text);
    }
    Ok(Opened {
        signer: signer.clone(),
        sum: super::files::hexadecimal(sum.as_ref()),
        metadata,
        files: Files(texts),
    })
}

fn invalid(why: &str) -> ArchiveFault {
    ArchiveFault::Invalid(why.to_owned())
}

fn refused(fault: ZipFault) -> ArchiveFault {
    match fault {
        ZipFault::Large(_) | ZipFault::Many(_) => ArchiveFault::TooLarge(fault.to_string()),
        fault => ArchiveFault::Invalid(fault.to_string()),
    }
}
