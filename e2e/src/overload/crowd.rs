//! Callers that keep a server waiting.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::policy::{ECHO_PATH, WORK_PATH};

/// Where the crowd comes from.
const FROM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// How long somebody waits for room, before it counts as not let in.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time from one byte to the next of who writes slowly.
const DRIP: Duration = Duration::from_millis(500);

/// Bytes of an input that comes back as the result, and what it is made of.
const LONG: usize = 3 << 20;
const PART: &[u8] = &[b'x'; 64 << 10];

/// What the callers of a crowd do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// They connect, and say nothing.
    Silent,
    /// They begin a request and do not go on.
    HalfAHead,
    /// They write a request's head, one byte every half second.
    SlowHead,
    /// They send the head and half of the body.
    HalfABody,
    /// They send a body, one byte every half second.
    SlowBody,
    /// They ask for a long answer and do not read it.
    Unread,
}

impl Crowd {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::Silent,
        Self::HalfAHead,
        Self::SlowHead,
        Self::HalfABody,
        Self::SlowBody,
        Self::Unread,
    ];

    /// How many of them come, where `most` is the most that there are of any: those with long answers
    /// are fewer, because of what they take of this machine.
    pub fn size(self, most: usize) -> usize {
        match self {
            Self::Unread => most.min(500),
            _ => most,
        }
    }

    /// How people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "idle connections",
            Self::HalfAHead => "half-sent heads",
            Self::SlowHead => "slowly written heads",
            Self::HalfABody => "half-sent bodies",
            Self::SlowBody => "slowly written bodies",
            Self::Unread => "unread answers",
        }
    }

    /// So many of them come at once, stay for so long, and come again as soon as they were sent
    /// away.
    pub async fn come(self, address: &str, many: usize, time: Duration) {
        let mut callers = JoinSet::new();
        for _ in 0..many {
            let address = address.to_owned();
            callers.spawn(async move {
                loop {
                    // Whoever is not let in, or was sent away, comes again.
                    let _ = self.call(&address).await;
                    sleep(DRIP).await;
                }
            });
        }
        sleep(time).await;
    }

    /// One call, until the server ends it.
    async fn call(self, address: &str) -> std::io::Result<()> {
        let mut stream = timeout(PATIENCE, connect(address)).await??;
        match self {
            Self::Silent => {}
            Self::HalfAHead => {
                stream
                    .write_all(&head(WORK_PATH, 9).as_bytes()[..20])
                    .await?;
            }
            Self::SlowHead => drip(&mut stream, head(WORK_PATH, 9).as_bytes()).await?,
            Self::HalfABody => {
                stream
                    .write_all(format!("{}{{", head(WORK_PATH, 9)).as_bytes())
                    .await?;
            }
            Self::SlowBody => {
                stream.write_all(head(WORK_PATH, 1000).as_bytes()).await?;
                drip(&mut stream, &[b' '; 999]).await?;
            }
            Self::Unread => {
                stream
                    .write_all(head(ECHO_PATH, LONG + 2).as_bytes())
                    .await?;
                stream.write_all(b"\"").await?;
                for _ in 0..LONG / PART.len() {
                    stream.write_all(PART).await?;
                }
                stream.write_all(b"\"").await?;
                // The beginnings of another request tell when the server has had enough.
                return drip(&mut stream, &[b'G'; 1000]).await;
            }
        }
        // It ends when the server has had enough.
        let _ = stream.read(&mut [0; 16]).await?;
        Ok(())
    }
}

/// Connects from an address of its own: on Linux all of 127.0.0.0/8 is loopback.
async fn connect(address: &str) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((FROM, 0)))?;
    let address = address.parse().map_err(std::io::Error::other)?;
    socket.connect(address).await
}

fn head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n")
}

async fn drip(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        sleep(DRIP).await;
    }
    Ok(())
}
