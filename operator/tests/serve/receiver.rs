//! A receiver of decision logs: a server that takes, refuses, is silent or goes away, as it is told to.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver as Channel, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use flate2::read::GzDecoder;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value as Json;

use crate::process::PATIENCE;

/// What it does with uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes them.
    Takes,
    /// Answers with this status line and these headers.
    Answers(&'static str),
    /// Reads them, and answers nothing until it is told otherwise.
    IsSilent,
}

/// An upload as it came.
#[derive(Clone, Debug)]
pub(crate) struct Uploaded {
    pub(crate) head: String,
    /// Whether it was taken.
    pub(crate) was_taken: bool,
    pub(crate) body: Vec<u8>,
    pub(crate) entries: Vec<Json>,
}

/// A receiver that runs until this is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    ends: Arc<AtomicBool>,
    uploads: Channel<Uploaded>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(crate) fn start(mood: Mood) -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap(), mood, None)
    }

    /// On an address that another one has had.
    pub(crate) fn again_at(address: SocketAddr) -> Self {
        Self::listen(address, Mood::Takes, None)
    }

    /// With TLS.
    pub(crate) fn secure(config: ServerConfig) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        Self::listen(address, Mood::Takes, Some(Arc::new(config)))
    }

    fn listen(address: SocketAddr, mood: Mood, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(address).expect("the address must be free");
        let address = listener.local_addr().unwrap();
        let mood = Arc::new(Mutex::new(mood));
        let ends = Arc::new(AtomicBool::new(false));
        let (sender, uploads) = channel();
        let thread = thread::spawn({
            let (mood, ends) = (mood.clone(), ends.clone());
            move || {
                for stream in listener.incoming() {
                    if ends.load(Ordering::Relaxed) {
                        return;
                    }
                    let stream = stream.expect("a connection must come");
                    let visit = Visit {
                        mood: mood.clone(),
                        uploads: sender.clone(),
                    };
                    let tls = tls.clone();
                    thread::spawn(move || match tls {
                        None => visit.serve(stream),
                        Some(config) => {
                            let connection = ServerConnection::new(config).unwrap();
                            visit.serve(StreamOwned::new(connection, stream));
                        }
                    });
                }
            }
        });
        Self {
            address,
            mood,
            ends,
            uploads,
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/logs", self.address)
    }

    pub(crate) fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The next upload.
    pub(crate) fn upload(&self) -> Uploaded {
        self.uploads
            .recv_timeout(PATIENCE)
            .expect("something must be uploaded")
    }

    /// The ids of all decisions that were taken, until these are so many.
    pub(crate) fn taken(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            let upload = self.upload();
            if upload.was_taken {
                let own = upload.entries.iter();
                ids.extend(own.map(|entry| entry["decision_id"].as_str().unwrap().to_owned()));
            }
        }
        ids
    }

    /// Goes away: nobody listens at its address.
    pub(crate) fn leave(self) -> SocketAddr {
        self.address
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // It waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the receiver must not fail");
        }
    }
}

struct Visit {
    mood: Arc<Mutex<Mood>>,
    uploads: Sender<Uploaded>,
}

impl Visit {
    /// One upload; whoever comes may leave at any time.
    fn serve(self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).unwrap_or_default() == 0 {
                return;
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.expect("an upload has a length").parse().unwrap()];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        let mut text = String::new();
        GzDecoder::new(&*body).read_to_string(&mut text).unwrap();
        let mood = self.mood.lock().unwrap().clone();
        let upload = Uploaded {
            head: lower,
            was_taken: mood == Mood::Takes,
            entries: serde_json::from_str(&text).unwrap(),
            body,
        };
        // The test may have ended.
        let _ = self.uploads.send(upload);
        let status = match mood {
            Mood::Takes => "204 No Content",
            Mood::Answers(status) => status,
            Mood::IsSilent => {
                // Until the other side gives up.
                let _ = stream.read(&mut [0]);
                return;
            }
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let stream = stream.get_mut();
        let _ = stream
            .write_all(answer.as_bytes())
            .and_then(|()| stream.flush());
    }
}
