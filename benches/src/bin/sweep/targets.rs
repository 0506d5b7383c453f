//! Endpoints in a process of their own: HTTP and TCP ports that answer, hang or refuse, as they are told on standard input.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sanctum_kernel::Failure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{\"status\":\"ok\"}";

/// Ports, and the process behind them; ended when this is dropped.
pub(crate) struct Targets {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    pub(crate) http: Vec<u16>,
    pub(crate) tcp: Vec<u16>,
}

impl Targets {
    pub(crate) fn start(http: usize, tcp: usize) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--serve-targets")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = child.stdin.take().ok_or("no way to the endpoints")?;
        let from = BufReader::new(child.stdout.take().ok_or("no way from the endpoints")?);
        let mut targets = Self { child, to, from, http: Vec::new(), tcp: Vec::new() };
        let ports = targets.tell(&format!("open {http} {tcp}"))?;
        let ports: Vec<u16> = ports.split_ascii_whitespace().filter_map(|port| port.parse().ok()).collect();
        let (first, rest) = ports.split_at_checked(http).ok_or("the endpoints did not open")?;
        (targets.http, targets.tcp) = (first.to_vec(), rest.to_vec());
        Ok(targets)
    }

    /// `refuse PORT…`, `hang PORT…`, `well PORT…`, `count`, `zero`; returns when it is so.
    pub(crate) fn tell(&mut self, order: &str) -> Result<String, Failure> {
        writeln!(self.to, "{order}")?;
        self.to.flush()?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    pub(crate) fn tell_all(&mut self, word: &str, ports: &[u16]) -> Result<String, Failure> {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        self.tell(&format!("{word} {}", ports.join(" ")))
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

struct Port {
    number: u16,
    http: bool,
    hangs: Arc<AtomicBool>,
    serving: Option<JoinSet<()>>,
}

impl Port {
    fn open(&mut self, taken: &Arc<AtomicU64>) -> Result<(), Failure> {
        if self.serving.is_some() {
            return Ok(());
        }
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        // On every address of loopback, so that one port can stand for many endpoints.
        socket.bind((Ipv4Addr::UNSPECIFIED, self.number).into())?;
        let listener = socket.listen(4096)?;
        self.number = listener.local_addr()?.port();
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, self.http, Arc::clone(&self.hangs), Arc::clone(taken)));
        self.serving = Some(serving);
        Ok(())
    }
}

async fn accept(listener: TcpListener, http: bool, hangs: Arc<AtomicBool>, taken: Arc<AtomicU64>) {
    let mut held = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        taken.fetch_add(1, Ordering::Relaxed);
        while held.try_join_next().is_some() {}
        if http {
            let hangs = hangs.load(Ordering::Relaxed);
            held.spawn(answer(stream, hangs));
        }
    }
}

async fn answer(mut stream: TcpStream, hangs: bool) {
    let mut question = [0; 2048];
    if stream.read(&mut question).await.is_ok_and(|count| count > 0) && !hangs {
        stream.write_all(ANSWER).await.ok();
        return;
    }
    // Until the other side has had enough.
    drop(stream.read(&mut question).await);
}

/// The process itself.
pub(crate) async fn serve() -> Result<(), Failure> {
    // Its own descriptors: as many as are allowed.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)?;
    let taken = Arc::<AtomicU64>::default();
    let mut ports: Vec<Port> = Vec::new();
    let (hand, mut lines) = tokio::sync::mpsc::channel(1);
    let reader = tokio::task::spawn_blocking(move || {
        std::io::stdin().lines().map_while(Result::ok).all(|line| hand.blocking_send(line).is_ok());
    });
    while let Some(line) = lines.recv().await {
        let mut words = line.split_ascii_whitespace();
        let order = words.next().unwrap_or_default();
        let numbers: Vec<usize> = words.filter_map(|word| word.parse().ok()).collect();
        let mut said = "done".to_owned();
        match (order, numbers.as_slice()) {
            ("open", [http, tcp]) => {
                for at in 0..http + tcp {
                    let mut port = Port { number: 0, http: at < *http, hangs: Arc::default(), serving: None };
                    port.open(&taken)?;
                    ports.push(port);
                }
                said = ports.iter().map(|port| port.number.to_string()).collect::<Vec<_>>().join(" ");
            }
            ("count", _) => said = taken.load(Ordering::Relaxed).to_string(),
            ("zero", _) => taken.store(0, Ordering::Relaxed),
            (word, numbers) => {
                for port in ports.iter_mut().filter(|port| numbers.contains(&usize::from(port.number))) {
                    port.hangs.store(word == "hang", Ordering::Relaxed);
                    if word == "refuse" {
                        if let Some(mut serving) = port.serving.take() {
                            serving.shutdown().await;
                        }
                    } else {
                        port.open(&taken)?;
                    }
                }
            }
        }
        println!("{said}");
    }
    Ok(reader.await?)
}
