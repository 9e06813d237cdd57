//! A real OPA, of the version that is built for the tests.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use crate::process::PATIENCE;

/// A server that runs until this is dropped.
pub(super) struct Opa {
    child: Child,
    socket: PathBuf,
}

impl Opa {
    /// Serves files of a folder, in which its socket is, too. Each `data.json` is at the root, as it
    /// is for the policy beside it.
    pub(super) fn start(folder: &Path, files: &[PathBuf]) -> Self {
        let socket = folder.join("opa.sock");
        let mut child = Command::new("opa")
            .args([
                "run",
                "--server",
                "--disable-telemetry",
                "--log-level",
                "debug",
            ])
            // So that answers have a decision's id.
            .args(["--set", "decision_logs.console=true"])
            .arg("--addr")
            .arg(format!("unix://{}", socket.display()))
            .args(files)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`opa` must be there: `make opa` builds it");
        let stderr = child.stderr.take().expect("it was piped");
        let mut lines = BufReader::new(stderr).lines();
        let started = lines.find(|line| {
            let line = line.as_ref().expect("it logs text");
            line.contains("Server initialized.")
        });
        assert!(started.is_some(), "OPA must start");
        // It may write as long as it runs.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, socket }
    }

    /// A connection. What is said to be initialized may listen a moment later.
    pub(super) fn connect(&self) -> UnixStream {
        let begin = Instant::now();
        loop {
            match UnixStream::connect(&self.socket) {
                Ok(stream) => {
                    stream
                        .set_read_timeout(Some(PATIENCE))
                        .expect("a socket takes a time");
                    return stream;
                }
                Err(error) => assert!(begin.elapsed() < PATIENCE, "OPA must listen: {error}"),
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Opa {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
