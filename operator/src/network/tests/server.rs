//! The server that the tests ask.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use portcullis_policies::outside::MAX_BODY;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// A server that answers by the path, and writes down what it was asked.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) async fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = asked.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (heard, tls) = (heard.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => talk(stream, &heard).await,
                        Some(config) => {
                            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                                talk(stream, &heard).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, asked }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests, with the server's port as `PORT`.
    pub(super) fn asked(&self) -> Vec<String> {
        let port = self.address.port().to_string();
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|one| one.replace(&port, "PORT")).collect()
    }
}

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, heard: &Mutex<Vec<String>>) {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        text.push(byte);
    }
    let head = String::from_utf8(text.clone()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    text.extend(body);
    let text = String::from_utf8(text).unwrap();
    let path = text.split(' ').nth(1).unwrap().to_owned();
    heard.lock().unwrap().push(text);
    if path == "/silent" {
        std::future::pending::<()>().await;
    }
    // Who left does not read it.
    let _ = stream.write_all(answer(&path).as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn answer(path: &str) -> String {
    let json = |status: &str, more: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    match path {
        "/teapot" => json("418 I am one", "", "{}"),
        "/plain" => json("200", "", "{}"),
        "/302" => json("302 Found", "Location: final?x=1\r\n", ""),
        "/307" => json("307 Temporary Redirect", "Location: /final\r\n", ""),
        "/301" => json("301 Moved Permanently", "Location: /final\r\n", "{}"),
        "/nowhere" => json("301 Moved Permanently", "", "{}"),
        "/evil" => json("302 Found", "Location: http://evil.example/\r\n", ""),
        "/metadata" => json(
            "302 Found",
            "Location: http://169.254.169.254/latest\r\n",
            "",
        ),
        "/round" => json("302 Found", "Location: /round\r\n", ""),
        "/chunked" => "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n"
            .to_owned(),
        "/close" => "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[3]".to_owned(),
        "/short" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc".to_owned(),
        "/smtp" => "220 mail.example ESMTP\r\n\r\n".to_owned(),
        "/most" => json("200 OK", "", &format!("\"{}\"", "x".repeat(MAX_BODY - 2))),
        "/more" => json("200 OK", "", &format!("\"{}\"", "x".repeat(MAX_BODY - 1))),
        "/head" => json(
            "200 OK",
            &format!("X-Long: {}\r\n", "x".repeat(200 << 10)),
            "{}",
        ),
        _ => json("200 OK", "X-Two: 1\r\nx-two: 2\r\n", "{\"a\":[1,1.50]}"),
    }
}
