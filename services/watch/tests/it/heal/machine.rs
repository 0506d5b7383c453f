//! The machine itself: the container engine's socket, the clock.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sanctum_api::supervise::Phase;
use sanctum_kernel::inventory::check::{Check, Container};
use sanctum_testkit::eventually;
use sanctum_watch::engine::Acted;

use super::ward::{SOON, checked, evidence, home, item, open, perl, refused};

/// Answers every request on the socket of its argument with 200.
const ENGINE: &str = "use IO::Socket::UNIX; $SIG{PIPE} = 'IGNORE'; unlink $ARGV[0]; \
    my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 5) or die; \
    while (my $c = $s->accept) { my $l = <$c>; print $c \"HTTP/1.0 200 OK\\r\\n\\r\\nOK\"; close $c }";

#[tokio::test]
async fn the_engine_behind_a_socket_that_is_gone_is_restarted() {
    let house = home();
    let socket = house.home().join("engine.sock");
    let plan = perl("engine", ENGINE, &[&socket.display().to_string()]);
    let container = Container { name: "web".to_owned(), socket: Some(socket.clone()) };
    let check = Check { container: Some(container), ..Check::default() };
    let mut web = checked("web", &["engine"], check.clone());
    web.supervised = false;
    let mut alone = checked("alone", &[], check);
    alone.supervised = false;
    let ward = open(house, vec![plan], vec![item("engine", &[]), web, alone], "").await;
    let first = ward.phase("engine", Phase::Ready).await.pid;
    eventually("the socket", SOON, async || std::os::unix::net::UnixStream::connect(&socket).ok()).await;
    let evidence = evidence("container", "the engine cannot be reached");
    assert!(refused(ward.act(Some("web"), "engine-socket", evidence.clone()).await).contains("answers"));
    std::fs::remove_file(&socket).unwrap();
    let why = refused(ward.act(Some("alone"), "engine-socket", evidence.clone()).await);
    assert!(why.contains("no service is declared as the engine"), "{why}");
    let (_, done) = ward.act_twice(Some("web"), "engine-socket", evidence).await;
    assert!(done.ends_with("engine.sock` answers"), "{done}");
    assert_ne!(ward.phase("engine", Phase::Ready).await.pid, first);
    std::os::unix::net::UnixStream::connect(&socket).unwrap();
    ward.house.stop().await;
}

/// A time server that is off by what stands in a file, in seconds; it ends with the test.
struct TimeServer {
    address: String,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl TimeServer {
    fn start(offset: PathBuf) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut packet = [0; 48];
            while !seen.load(Ordering::Relaxed) {
                let Ok((48, from)) = socket.recv_from(&mut packet) else { continue };
                let off: f64 = std::fs::read_to_string(&offset).unwrap().trim().parse().unwrap();
                let off = jiff::SignedDuration::from_secs_f64(off);
                let now = sanctum_kernel::Clock::system().now() + off;
                let seconds = u64::try_from(now.as_second() + 2_208_988_800).unwrap();
                let fraction = (u64::try_from(now.subsec_nanosecond()).unwrap() << 32) / 1_000_000_000;
                let stamp = (seconds << 32 | fraction).to_be_bytes();
                let mut answer = [0; 48];
                answer[0] = 0x24;
                answer[1] = 2;
                answer[24..32].copy_from_slice(&packet[40..48]);
                answer[32..40].copy_from_slice(&stamp);
                answer[40..48].copy_from_slice(&stamp);
                socket.send_to(&answer, from).unwrap();
            }
        });
        Self { address, over, thread: Some(thread) }
    }
}

impl Drop for TimeServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_stepped_by_whoever_keeps_it_and_measured_again() {
    let ward = open(home(), vec![], vec![], "").await;
    let offset = ward.home().join("offset");
    let set = |text: &str| sanctum_kernel::files::replace(&offset, text.as_bytes(), 0o600).unwrap();
    set("0.2");
    let (good, other, liar) = (
        TimeServer::start(offset.clone()),
        TimeServer::start(offset.clone()),
        TimeServer::start({
            let path = ward.home().join("lie");
            sanctum_kernel::files::replace(&path, b"-90000", 0o600).unwrap();
            path
        }),
    );
    let recipe = |command: &str| {
        let servers =
            [&good.address, &other.address, &liar.address].map(|address| format!("\"{address}\"")).join(", ");
        format!(
            "id = \"clock-skew\"\nsummary = \"steps the clock\"\ntrigger = \"it is off\"\nseverity = \"high\"\n\
             cool-down = \"0s\"\ndry-run = \"never\"\nreversible = false\n[action.step-clock]\nmax = \"1s\"\n\
             servers = [{servers}]\ncommand = [\"{command}\"]\n"
        )
    };
    ward.recipe("clock", &recipe("makestep"));
    // What stands for the daemon: it makes the difference go away, as a step of this machine's own clock would.
    ward.script("makestep", &format!("#!/bin/sh\necho 0.01 > {}\n", offset.display()));
    ward.script("lazy", "#!/bin/sh\necho 200 OK\n");
    assert!(refused(ward.act(None, "clock-skew", vec![]).await).contains("off by 0.2"));
    set("37.5");
    let mut order = ward.order(None, "clock-skew", vec![]);
    order.incident = None;
    let done = ward.healer.act(order.clone()).await;
    // A busy machine measures a little later than it asks.
    let near = |words: &str| words.contains("off by 0.0") || words.contains("off by -0.0");
    assert!(matches!(&done, Acted::Done(words) if near(words)), "{done:?}");
    let told = ward.told();
    assert_eq!(told.len(), 1, "of what changes much a person is told");
    assert!(
        told[0].title.contains("steps the clock") && told[0].message.contains("sanctum heal audit"),
        "{told:?}"
    );
    set("-37.5");
    ward.recipe("clock", &recipe("lazy"));
    let failed = ward.healer.act(order).await;
    assert!(
        matches!(&failed, Acted::Failed(why) if why.contains("still off by -37.5")),
        "a claim is no proof: {failed:?}"
    );
    ward.house.stop().await;
}
