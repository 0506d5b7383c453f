//! The service itself in a process of its own, alone in its house: what 8 clients wait for at its HTTP door, what it costs,
//! what it holds in memory, and how long it takes to make the index again. With `sanctum` beside this program it is
//! `sanctum run memory`, and `sanctum memory rebuild`; else this program runs again as the service, and is asked to rebuild.
//!
//! The vault is made up as in `speed`, one file a note. Vectors of the notes lie in the cache before the first start, as they
//! do for every vault but a new one; questions get theirs while somebody waits. The history is off: it is git's work.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sanctum_host::{Plan, start};
use sanctum_kernel::peers::read_token;
use sanctum_kernel::{Catalogue, Clock, Entry, Failure, Paths, files};
use sanctum_memory::{Memory, bare};
use sanctum_notify::Notify;
use sanctum_proxy::Proxy;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::speed::{Bases, CLIENTS, Dice};

/// Questions of each client.
const QUESTIONS: usize = 250;
/// Files of one folder, and notes of one session.
const FOLDER: u32 = 1000;
const SESSION: u32 = 20;
/// The bars: milliseconds at the median and the 99th percentile, MB, seconds.
const MEDIAN: f64 = 10.0;
const SLOW: f64 = 40.0;
const MEMORY: f64 = 300.0;
const REBUILD: f64 = 60.0;
/// Ticks a second in `/proc` (time(7)).
const TICKS: f64 = 100.0;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(10);

pub(crate) async fn measure(notes: u32) -> Result<bool, Failure> {
    let home = tempfile::tempdir()?;
    let mut dice = Dice::new();
    furnish(home.path(), notes, &mut dice).await?;
    let mut house = House::start(home.path())?;
    let began = Instant::now();
    house.until_whole(notes).await?;
    println!(
        "{notes} notes; first start, the index made and every vector found: {:.1} s",
        began.elapsed().as_secs_f64()
    );
    // As it is every day: with an index that is there.
    house.stop()?;
    let began = Instant::now();
    house = House::start(home.path())?;
    house.until_whole(notes).await?;
    println!("started again, all loaded: {:.1} s; {:.0} MB PSS", began.elapsed().as_secs_f64(), house.pss());
    let mut held = true;
    house.ask(&mut dice, 20)?;
    println!(
        "{:>28} {:>8} {:>8} {:>8} {:>16} {:>12}",
        "", "p50 ms", "p99 ms", "a second", "CPU a question", "of clients"
    );
    for name in ["as fast as they can", "again"] {
        let (before, own) = (house.processor(), crate::processor());
        let began = Instant::now();
        let mut times = house.ask(&mut dice, QUESTIONS)?;
        let took = began.elapsed().as_secs_f64();
        let count = times.len() as f64;
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times.get((count * share) as usize).copied().unwrap_or(f64::NAN);
        println!(
            "{name:>28} {:>8.1} {:>8.1} {:>8.0} {:>13.2} ms {:>9.2} ms",
            at(0.5),
            at(0.99),
            count / took,
            (house.processor() - before) * 1e3 / count,
            (crate::processor() - own) * 1e3 / count
        );
        if name == "again" {
            held &= notes > 100_000 || (at(0.5) <= MEDIAN && at(0.99) <= SLOW);
        }
    }
    let memory = house.pss();
    println!("afterwards: {memory:.0} MB PSS");
    held &= notes > 100_000 || memory <= MEMORY;
    let before = house.processor();
    let (took, wall) = house.rebuild()?;
    println!(
        "the index made again: {took:.1} s by itself, {wall:.1} s for who waits, {:.1} s of processor time; {:.0} MB PSS",
        house.processor() - before,
        house.pss()
    );
    held &= notes > 100_000 || wall <= REBUILD;
    house.stop()?;
    Ok(held)
}

/// Whom memory calls is known by name, and does not run.
static CATALOGUE: Catalogue =
    const { Catalogue::new(const { &[Entry::of::<Notify>(), Entry::of::<Proxy>(), Entry::of::<Memory>()] }) };

/// The service, until this process is ended.
pub(crate) async fn serve(home: &str) -> Result<bool, Failure> {
    let paths = Paths::new(home);
    paths.prepare()?;
    let loaded = sanctum_settings::load(&paths.config(), &CATALOGUE)?;
    let clock = Clock::system();
    let plan = Plan { catalogue: &CATALOGUE, paths, loaded, names: vec!["memory"], clock, begins: true };
    Ok(start(plan).await?.until_stopped().await == sanctum_kernel::exit::OK)
}

/// The files of a vault, and the vectors of what is in them.
async fn furnish(home: &Path, notes: u32, dice: &mut Dice) -> Result<(), Failure> {
    let paths = Paths::new(home);
    paths.prepare()?;
    let bases = Bases::new(dice)?;
    let now = jiff::Timestamp::now();
    let mut made = Vec::new();
    for row in 0..notes {
        let folder = paths.home().join(format!("vault/events/{:04}", row / FOLDER));
        if row % FOLDER == 0 {
            std::fs::create_dir_all(&folder)?;
        }
        let at = now.checked_sub(jiff::Span::new().minutes(i64::from(notes - row)))?;
        let text = dice.text();
        let note = format!(
            "---\nid: n-bench{row:07}\ntype: episodic\nsession: talk-{}\ncreated: {at}\nupdated: {at}\n---\n\n{text}\n",
            row / SESSION
        );
        // Not as the house writes: a hundred thousand times to wait for the disk would take an hour.
        File::create(folder.join(format!("note-{row:07}.md")))?.write_all(note.as_bytes())?;
        made.push((text, bases.near(row, dice)));
        if made.len() == 4096 || row + 1 == notes {
            bare::keep(&paths.state(), std::mem::take(&mut made)).await?;
        }
    }
    Ok(())
}

/// One service, ended when this is dropped.
struct House {
    sanctum: Option<PathBuf>,
    paths: Paths,
    at: SocketAddr,
    child: Child,
}

impl Drop for House {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl House {
    fn start(home: &Path) -> Result<Self, Failure> {
        let at = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = format!(
            "[listen]\nmemory = \"{at}\"\n\n[memory]\nconsolidate-every = \"0s\"\n\n[memory.git]\non = false\n"
        );
        let paths = Paths::new(home);
        files::replace(&paths.config(), config.as_bytes(), 0o600)?;
        let log = files::append(&paths.logs().join("bench.log"))?;
        let sanctum = Some(std::env::current_exe()?.with_file_name("sanctum")).filter(|path| path.is_file());
        let mut command = Command::new(sanctum.clone().map_or_else(std::env::current_exe, Ok)?);
        match &sanctum {
            Some(_) => command.arg("--home").arg(home).args(["run", "memory"]),
            None => command.arg("serve").arg(home),
        };
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Self { sanctum, paths, at, child })
    }

    fn stop(&mut self) -> Result<(), Failure> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until every note is found by its words and by its meaning.
    async fn until_whole(&mut self, notes: u32) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the service ended: {status}").into());
            }
            let state = self.client().and_then(|mut client| client.ask("GET", "/state", ""));
            if let Ok(state) = state {
                let number = |name: &str| state[name].as_u64().unwrap_or(0);
                let whole = number("notes") == u64::from(notes) && number("vectors") == number("passages");
                if whole && state["degraded"].is_null() {
                    return Ok(());
                }
                if began.elapsed() > PATIENCE {
                    return Err(format!("it is not whole: {state}").into());
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn client(&self) -> Result<Client, Failure> {
        let token = read_token(&self.paths, "cli", "memory")?.expose_secret().to_owned();
        let stream = TcpStream::connect(self.at)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client { from: BufReader::new(stream.try_clone()?), to: stream, token })
    }

    /// How long each question took, in milliseconds.
    fn ask(&self, dice: &mut Dice, each: usize) -> Result<Vec<f64>, Failure> {
        let mut clients = Vec::new();
        for client in 0..CLIENTS {
            let agent = format!("agent-{client}");
            let bodies: Vec<String> =
                (0..each).map(|_| json!({ "agent": agent, "query": dice.question() }).to_string()).collect();
            let mut client = self.client()?;
            clients.push(std::thread::spawn(move || -> Result<Vec<f64>, String> {
                let mut times = Vec::new();
                for body in bodies {
                    let began = Instant::now();
                    let answer = client.send("POST", "/recall", &body).map_err(|error| error.to_string())?;
                    times.push(began.elapsed().as_secs_f64() * 1e3);
                    if !answer.starts_with(b"{\"results\":[{") {
                        return Err(format!("no answer: {}", String::from_utf8_lossy(&answer)));
                    }
                }
                Ok(times)
            }));
        }
        let mut times = Vec::new();
        for client in clients {
            times.extend(client.join().map_err(|_| "a client died")??);
        }
        Ok(times)
    }

    /// What the verb says it took, and what it took, in seconds.
    fn rebuild(&self) -> Result<(f64, f64), Failure> {
        let began = Instant::now();
        let Some(sanctum) = &self.sanctum else {
            let said = self.client()?.ask("POST", "/rebuild", "")?;
            return Ok((said["took_ms"].as_f64().unwrap_or(f64::NAN) / 1e3, began.elapsed().as_secs_f64()));
        };
        let done = Command::new(sanctum)
            .arg("--home")
            .arg(self.paths.home())
            .args(["--json", "memory", "rebuild"])
            .stdin(Stdio::null())
            .output()?;
        let wall = began.elapsed().as_secs_f64();
        let said: Value = serde_json::from_slice(&done.stdout)
            .map_err(|error| format!("rebuild: {error}: {}", String::from_utf8_lossy(&done.stderr)))?;
        Ok((said["took_ms"].as_f64().unwrap_or(f64::NAN) / 1e3, wall))
    }

    fn pss(&self) -> f64 {
        crate::pss_of(&format!("/proc/{}/smaps_rollup", self.child.id()))
    }

    /// Processor time until now, in seconds.
    fn processor(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let ticks: f64 = rest.split(' ').skip(11).take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
        ticks / TICKS
    }
}

/// One connection; as little work as a client can have, because it has the same processors.
struct Client {
    from: BufReader<TcpStream>,
    to: TcpStream,
    token: String,
}

impl Client {
    fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Value, Failure> {
        Ok(serde_json::from_slice(&self.send(method, path, body)?)?)
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Result<Vec<u8>, Failure> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.to.write_all(head.as_bytes())?;
        let mut length = 0;
        let mut line = String::new();
        let mut first = true;
        loop {
            line.clear();
            if self.from.read_line(&mut line)? == 0 {
                return Err("the connection ended".into());
            }
            let text = line.trim_end();
            if first && !text.contains(" 200 ") {
                return Err(text.to_owned().into());
            }
            first = false;
            if text.is_empty() {
                break;
            }
            if let Some((name, value)) = text.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.from.read_exact(&mut body)?;
        Ok(body)
    }
}
