//! Starts the binary, and asks it.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

/// Longest wait for anything: the machine may be busy, and a failure is worth the wait.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The binary under test.
pub(crate) const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// A server that runs until this is dropped.
pub(crate) struct Server {
    child: Child,
    /// What it printed until it was ready.
    pub(crate) printed: String,
    /// `127.0.0.1:12345`
    pub(crate) evaluation: String,
    /// `127.0.0.1:12346`
    pub(crate) admin: String,
    log: Receiver<String>,
    lines: Receiver<String>,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(PORTCULLIS);
    command
        .args(arguments)
        .output()
        .expect("the binary must start")
}

impl Server {
    /// Serves a directory on ports that are free.
    pub(crate) fn of(directory: &Path) -> Self {
        Self::start(&[OsStr::new("serve"), directory.as_os_str()], directory)
    }

    /// Starts a server in `home` on ports that are free. What it keeps without a directory goes there.
    pub(crate) fn start(arguments: &[&OsStr], home: &Path) -> Self {
        let mut child = Command::new(PORTCULLIS)
            .args(arguments)
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .current_dir(home)
            .env("XDG_STATE_HOME", home)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary must start");
        let stderr = child.stderr.take().expect("it was piped");
        let log = lines_of(BufReader::new(stderr));
        let mut stdout = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut printed = String::new();
        let mut url = |name: &str| {
            loop {
                let mut line = String::new();
                let read = stdout.read_line(&mut line).expect("it prints text");
                printed += &line;
                assert!(
                    read > 0,
                    "it ended: {printed} {:?}",
                    log.iter().collect::<Vec<_>>()
                );
                if let Some(url) = line.strip_prefix(name) {
                    let address = url.trim().rsplit('/').next();
                    return address.expect("it is a URL").to_owned();
                }
            }
        };
        let (evaluation, admin) = (url("evaluation: "), url("admin: "));
        Self {
            child,
            printed,
            evaluation,
            admin,
            log,
            lines: lines_of(stdout),
        }
    }

    /// What it prints next.
    pub(crate) fn next_line(&self) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        line.expect("it must print a line")
    }

    /// Asks the evaluation API.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        ask(&self.evaluation, method, path, body)
    }

    /// Waits for a line of the log.
    pub(crate) fn await_log(&self, part: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("the log must say {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// A field of `/proc/<pid>/status` (proc(5)).
    pub(crate) fn status(&self, field: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let mut fields = status.lines().filter_map(|line| line.split_once(':'));
        let field = fields.find(|(name, _)| *name == field);
        field.expect("it is a field").1.trim().to_owned()
    }

    /// The signal by which it is told to stop.
    pub(crate) fn terminate(&self) {
        let killed = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(killed.expect("`kill` must start").success());
    }

    /// Tells it to stop, and waits for its end.
    pub(crate) fn stop(self) -> ExitStatus {
        self.terminate();
        self.ended()
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().expect("it is a child of this process")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that are read, as they come.
fn lines_of(reader: impl BufRead + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = reader.lines().map_while(Result::ok);
        // The test may have ended meanwhile.
        lines
            .take_while(|line| sender.send(line.clone()).is_ok())
            .for_each(drop);
    });
    lines
}

/// One request on a connection of its own.
pub(crate) fn ask(address: &str, method: &str, path: &str, body: &str) -> Answer {
    let mut stream = connect(address);
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .expect("the server must read");
    read_answer(stream)
}

/// A connection whose waits are bounded.
pub(crate) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server must listen");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a socket takes a time");
    stream
}

/// Reads an answer to the end of its connection.
pub(crate) fn read_answer(mut stream: TcpStream) -> Answer {
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .expect("the server must answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.expect("an answer has a status"),
        body: body.to_owned(),
    }
}

/// Writes a file below `root`.
pub(crate) fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("it is below the root")).expect("it can be made");
    fs::write(path, text).expect("it can be written");
}

/// Where the Makefile installs what tests need.
pub(crate) fn cache() -> PathBuf {
    env::var_os("PORTCULLIS_CACHE").map_or_else(
        || PathBuf::from(env::var_os("HOME").unwrap()).join(".cache/portcullis"),
        PathBuf::from,
    )
}

/// Copies a folder; gives its files, by their places below it.
pub(crate) fn copy(from: &Path, to: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        fs::create_dir_all(to.join(&folder)).unwrap();
        for entry in fs::read_dir(from.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            } else {
                fs::copy(entry.path(), to.join(&path)).unwrap();
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
