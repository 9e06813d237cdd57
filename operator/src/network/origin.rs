//! A server of tests, which answers what was prepared.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// The server. It notes what it was asked; clones are the same one.
#[derive(Clone)]
pub(crate) struct Origin {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<VecDeque<Vec<u8>>>>,
}

impl Origin {
    /// Listens on loopback.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = Self {
            port: listener.local_addr().unwrap().port(),
            asked: Arc::default(),
            answers: Arc::default(),
        };
        let serving = own.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let mut request = String::from_utf8(head).unwrap();
                let mut lines = request.lines();
                let length = lines.find_map(|line| line.strip_prefix("content-length: "));
                let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
                stream.read_exact(&mut body).await.unwrap();
                request.push_str(std::str::from_utf8(&body).unwrap());
                serving.asked.lock().unwrap().push(request);
                let answer = serving.answers.lock().unwrap().pop_front();
                let answer = answer
                    .unwrap_or_else(|| b"HTTP/1.1 500 Empty\r\ncontent-length: 0\r\n\r\n".to_vec());
                // Who has read enough goes.
                let _ = stream.write_all(&answer).await;
            }
        });
        own
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Answers this next, after what was prepared before; then with 500.
    pub(crate) fn answer(&self, status: &str, headers: &str, body: &[u8]) -> &Self {
        let head = format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        let answer = [head.as_bytes(), body].concat();
        self.answers.lock().unwrap().push_back(answer);
        self
    }
}
