//! The internet's servers, the tablet that streams all the time, and a console that tries everything.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use crate::net::{INTERNET, INTERNET6, inside};

const TCP: u16 = 8080;
const UDP: u16 = 8443;
/// Between two packets of a stream: 200 a second and 240 kB/s each, as a film has it.
const BEAT: Duration = Duration::from_millis(5);
const CHUNK: usize = 1200;
/// How long a server goes on sending by UDP to somebody who has fallen silent, as QUIC servers do.
pub(crate) const LINGER: Duration = Duration::from_secs(5);
/// A reader on a busy machine may be late by a second without losing anything.
const BUFFER: usize = 8 * 1024 * 1024;

type Handle = JoinHandle<io::Result<()>>;

/// Threads with a common end.
#[derive(Debug, Default)]
pub(crate) struct Crew {
    stop: Arc<AtomicBool>,
    threads: Vec<Handle>,
}

impl Crew {
    fn add(
        &mut self,
        ns: &str,
        name: &str,
        work: impl FnOnce(Arc<AtomicBool>) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let stop = Arc::clone(&self.stop);
        self.threads.push(inside(ns, name, move || work(stop))?);
        Ok(())
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

/// Starts the internet: TCP and UDP servers that send a stream to whoever asks and swallow whatever comes.
pub(crate) fn internet(ns: &str) -> io::Result<Crew> {
    let mut crew = Crew::default();
    let (bound, is_bound) = std::sync::mpsc::channel();
    let told = bound.clone();
    crew.add(ns, "server-udp", move |stop| {
        let socket = UdpSocket::bind(("::", UDP))?;
        told.send(()).ok();
        serve_udp(&socket, &stop)
    })?;
    crew.add(ns, "server-tcp", move |stop| {
        let listener = TcpListener::bind(("::", TCP))?;
        listener.set_nonblocking(true)?;
        bound.send(()).ok();
        let mut guests = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            match listener.accept() {
                Ok((guest, _)) => {
                    let stop = Arc::clone(&stop);
                    guests.push(std::thread::spawn(move || serve_tcp(guest, &stop)));
                }
                Err(_) => std::thread::park_timeout(BEAT),
            }
        }
        for guest in guests {
            guest.join().ok();
        }
        Ok(())
    })?;
    let all = is_bound.recv().and_then(|()| is_bound.recv());
    all.map_err(|_| io::Error::other("the internet's servers did not start"))?;
    Ok(crew)
}

/// `d` asks for a stream in which each byte follows from its place; anything else is an upload.
fn serve_tcp(mut guest: TcpStream, stop: &AtomicBool) {
    let mut wish = [0];
    let ready =
        guest.set_nonblocking(false).and_then(|()| guest.set_read_timeout(Some(Duration::from_millis(500))));
    if ready.and_then(|()| guest.set_write_timeout(Some(Duration::from_millis(500)))).is_err()
        || guest.read_exact(&mut wish).is_err()
    {
        return;
    }
    let (mut sent, mut sink, born) = (0_u64, vec![0; 65536], Instant::now());
    while !stop.load(Ordering::Relaxed) && born.elapsed() < Duration::from_mins(10) {
        if wish == *b"d" {
            let chunk: Vec<u8> = (sent..).take(CHUNK).map(byte_at).collect();
            match guest.write(&chunk) {
                Ok(len) => sent += len as u64,
                Err(error) if again(&error) => {}
                Err(_) => return,
            }
            std::thread::park_timeout(BEAT);
        } else {
            match guest.read(&mut sink) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if again(&error) => {}
                Err(_) => return,
            }
        }
    }
}

fn byte_at(place: u64) -> u8 {
    place.wrapping_mul(31).to_le_bytes().into_iter().fold(0, |sum, byte| sum ^ byte)
}

fn again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

fn serve_udp(socket: &UdpSocket, stop: &AtomicBool) -> io::Result<()> {
    sockopt::set_socket_recv_buffer_size_force(socket, BUFFER)?;
    socket.set_nonblocking(true)?;
    let mut guests: BTreeMap<SocketAddr, (Instant, u64)> = BTreeMap::new();
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            guests.entry(from).or_insert((Instant::now(), 0)).0 = Instant::now();
        }
        guests.retain(|_, (heard, _)| heard.elapsed() < LINGER);
        for (guest, (_, number)) in &mut guests {
            let mut datagram = vec![0; CHUNK];
            datagram.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
            // A number is used up only if it was sent: what is lost is lost on the way.
            if socket.send_to(&datagram, guest).is_ok() {
                *number += 1;
            }
        }
        std::thread::park_timeout(BEAT);
    }
    Ok(())
}

/// What the tablet noticed.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub(crate) struct Noticed {
    pub(crate) bytes: u64,
    pub(crate) longest_pause_ms: f64,
    /// In which stream that was, and how long after the tablet began.
    pub(crate) pause_where: String,
    /// Datagrams that were sent to it and never came, and bytes of TCP that were not what they should be.
    pub(crate) lost: u64,
    /// Streams that broke.
    pub(crate) broken: Vec<String>,
}

/// A tablet that streams by TCP and UDP, IPv4 and IPv6, until it is dropped.
#[derive(Debug)]
pub(crate) struct Tablet {
    crew: Crew,
    noticed: Arc<Mutex<Noticed>>,
    moving: Arc<AtomicU64>,
}

impl Tablet {
    pub(crate) fn start(ns: &str) -> io::Result<Self> {
        let mut tablet = Self { crew: Crew::default(), noticed: Arc::default(), moving: Arc::default() };
        for (name, tcp, host) in [
            ("tcp4", true, INTERNET),
            ("tcp6", true, INTERNET6),
            ("udp4", false, INTERNET),
            ("udp6", false, INTERNET6),
        ] {
            let (noticed, moving) = (Arc::clone(&tablet.noticed), Arc::clone(&tablet.moving));
            tablet.crew.add(ns, name, move |stop| {
                let mut stream = Stream { name, noticed, begun: Instant::now(), last: None };
                let outcome =
                    if tcp { stream.tcp(host, &moving, &stop) } else { stream.udp(host, &moving, &stop) };
                stream.arrived(0, 0);
                if let Err(error) = outcome {
                    stream.note(|noticed| noticed.broken.push(format!("{name}: {error}")));
                }
                Ok(())
            })?;
        }
        Ok(tablet)
    }

    /// Whether all four streams have begun.
    pub(crate) fn is_streaming(&self) -> bool {
        self.moving.load(Ordering::Relaxed) == 4
    }

    pub(crate) fn noticed(&self) -> Noticed {
        self.noticed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the streams; what the tablet noticed of it all.
    pub(crate) fn finish(self) -> Noticed {
        let Self { crew, noticed, .. } = self;
        drop(crew);
        noticed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Stream {
    name: &'static str,
    noticed: Arc<Mutex<Noticed>>,
    begun: Instant,
    last: Option<Instant>,
}

impl Stream {
    fn note(&self, work: impl FnOnce(&mut Noticed)) {
        work(&mut self.noticed.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// So many bytes have come, and so many are known to be lost.
    fn arrived(&mut self, bytes: usize, lost: u64) {
        let pause = self.last.map_or(Duration::ZERO, |last| last.elapsed());
        let (name, since) = (self.name, self.begun.elapsed().as_secs_f64());
        self.note(|noticed| {
            noticed.bytes += bytes as u64;
            noticed.lost += lost;
            if pause.as_secs_f64() * 1e3 > noticed.longest_pause_ms {
                noticed.longest_pause_ms = pause.as_secs_f64() * 1e3;
                noticed.pause_where = format!("{name}, {since:.1} s after it began");
            }
        });
        self.last = Some(Instant::now());
    }

    fn tcp(&mut self, host: &str, moving: &AtomicU64, stop: &AtomicBool) -> io::Result<()> {
        let mut server = connect(host, Duration::from_secs(5))?;
        server.set_read_timeout(Some(Duration::from_millis(100)))?;
        server.write_all(b"d")?;
        let (mut place, mut buffer) = (0_u64, vec![0; 65536]);
        while !stop.load(Ordering::Relaxed) {
            match server.read(&mut buffer) {
                Ok(0) => return Err(io::Error::other("the stream ended")),
                Ok(len) => {
                    let wrong = buffer
                        .iter()
                        .take(len)
                        .zip(place..)
                        .filter(|(byte, place)| **byte != byte_at(*place))
                        .count();
                    if place == 0 {
                        moving.fetch_add(1, Ordering::Relaxed);
                    }
                    place += len as u64;
                    self.arrived(len, wrong as u64);
                }
                Err(error) if again(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn udp(&mut self, host: &str, moving: &AtomicU64, stop: &AtomicBool) -> io::Result<()> {
        let socket = udp(host)?;
        sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER)?;
        let (mut expected, mut buffer, mut asked) = (0_u64, [0; 2048], None::<Instant>);
        while !stop.load(Ordering::Relaxed) {
            if asked.is_none_or(|asked| asked.elapsed() > Duration::from_secs(1)) {
                socket.send(b"k")?;
                asked = Some(Instant::now());
            }
            match socket.recv(&mut buffer) {
                Ok(len) => {
                    let number = buffer.first_chunk::<8>().map_or(0, |head| u64::from_be_bytes(*head));
                    if self.last.is_none() {
                        moving.fetch_add(1, Ordering::Relaxed);
                        expected = number;
                    }
                    self.arrived(len, number.saturating_sub(expected));
                    expected = number + 1;
                }
                Err(error) if again(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn connect(host: &str, patience: Duration) -> io::Result<TcpStream> {
    let address: std::net::IpAddr = host.parse().map_err(io::Error::other)?;
    TcpStream::connect_timeout(&SocketAddr::new(address, TCP), patience)
}

fn udp(host: &str) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((if host.contains(':') { "::" } else { "0.0.0.0" }, 0))?;
    socket.connect((host, UDP))?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    Ok(socket)
}

/// Every way a console may use the network: TCP and UDP, down and up, IPv4 and IPv6; it tries again and again.
pub(crate) fn player(ns: &str) -> io::Result<Crew> {
    let mut crew = Crew::default();
    for host in [INTERNET, INTERNET6] {
        for wish in [b"d", b"u"] {
            crew.add(ns, "play-tcp", move |stop| {
                while !stop.load(Ordering::Relaxed) {
                    if play_tcp(host, *wish, &stop).is_err() {
                        std::thread::park_timeout(Duration::from_millis(20));
                    }
                }
                Ok(())
            })?;
        }
        crew.add(ns, "play-udp", move |stop| {
            let mut buffer = [0; 2048];
            while !stop.load(Ordering::Relaxed) {
                // A new socket a round, until one works, as after a change of address.
                let tried = udp(host).and_then(|socket| {
                    while !stop.load(Ordering::Relaxed) {
                        socket.send(&[b'u'; CHUNK])?;
                        if let Err(error) = socket.recv(&mut buffer)
                            && !again(&error)
                        {
                            return Err(error);
                        }
                    }
                    Ok(())
                });
                if tried.is_err() {
                    std::thread::park_timeout(Duration::from_millis(20));
                }
            }
            Ok(())
        })?;
    }
    Ok(crew)
}

fn play_tcp(host: &str, wish: [u8; 1], stop: &AtomicBool) -> io::Result<()> {
    let mut server = connect(host, Duration::from_millis(200))?;
    server.set_read_timeout(Some(Duration::from_millis(100)))?;
    server.set_write_timeout(Some(Duration::from_millis(100)))?;
    server.write_all(&wish)?;
    let mut buffer = vec![b'u'; 65536];
    let mut moved = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let done = if wish == *b"d" {
            server.read(&mut buffer)
        } else {
            std::thread::park_timeout(BEAT);
            server.write(buffer.get(..CHUNK).unwrap_or_default())
        };
        match done {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => moved = Instant::now(),
            // A player gives up on a dead connection and dials again.
            Err(error) if again(&error) && moved.elapsed() < Duration::from_secs(4) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
