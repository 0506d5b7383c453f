//! Two houses that watch each other, and a wire between them that can be cut.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{PATIENCE, SMALL, nothing_for, receiver, wait, with};

/// A wire to somewhere that is known later: passes what is said while it is whole, and swallows it while it is cut.
struct Wire {
    addr: SocketAddr,
    to: Arc<Mutex<Option<SocketAddr>>>,
}

impl Wire {
    fn new(cut: &Arc<AtomicBool>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (to, cut) = (Arc::new(Mutex::new(None)), Arc::clone(cut));
        let wire = Self { addr, to: Arc::clone(&to) };
        std::thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let (to, cut) = (*to.lock().unwrap(), Arc::clone(&cut));
                std::thread::spawn(move || pass(from, to, &cut));
            }
        });
        wire
    }
}

fn pass(mut from: TcpStream, to: Option<SocketAddr>, cut: &AtomicBool) {
    let Some(mut to) = to.and_then(|to| TcpStream::connect(to).ok()) else { return };
    from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    to.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut bite = [0; 4096];
    // Ends with whoever ends first.
    loop {
        for forth in [true, false] {
            let (source, sink) = if forth { (&mut from, &mut to) } else { (&mut to, &mut from) };
            match source.read(&mut bite) {
                Ok(0) => return,
                Ok(_) if cut.load(Ordering::Relaxed) => {}
                Ok(taken) => sink.write_all(bite.get(..taken).unwrap()).unwrap_or(()),
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) => {}
                Err(_) => return,
            }
        }
    }
}

#[test]
fn d4_two_switches_that_lose_each_other_say_so_exactly_once_each() {
    let cut = Arc::new(AtomicBool::new(false));
    let wires = [Wire::new(&cut), Wire::new(&cut)];
    let houses = [0, 1].map(|at: usize| {
        let (url, heard) = receiver();
        let peer = wires[1 - at].addr;
        (with(&format!("{}peer = \"http://{peer}\"\n{SMALL}", super::switch(&url))), heard)
    });
    for ((house, _), wire) in houses.iter().zip(&wires) {
        house.ok(&["up", "--detach"]);
        let ports = house.json(&["ports"]);
        let text = ports.to_string();
        let at = std::fs::read_to_string(house.home().join("run/at/deadman")).unwrap_or(text);
        let addr = at.split('"').chain(at.split_whitespace()).find_map(|word| word.parse().ok());
        *wire.to.lock().unwrap() = Some(addr.unwrap_or_else(|| panic!("no address in {at}")));
    }
    let sees = |lost: bool| {
        for (house, _) in &houses {
            wait("the sight of the other", || {
                (house.json(&["deadman"])["peer"]["lost"] == lost).then_some(())
            });
        }
    };
    sees(false);
    // At the first start one was up before the other: that they came late may have been said.
    for (_, heard) in &houses {
        heard.try_iter().for_each(drop);
    }
    for _ in 0..2 {
        cut.store(true, Ordering::Relaxed);
        sees(true);
        for (_, heard) in &houses {
            let told = heard.recv_timeout(PATIENCE).unwrap();
            assert!(told.contains("I cannot see the switch"), "{told}");
        }
        for (house, heard) in &houses {
            nothing_for(house, 25, heard);
        }
        cut.store(false, Ordering::Relaxed);
        sees(false);
        for (_, heard) in &houses {
            let told = heard.recv_timeout(PATIENCE).unwrap();
            assert!(told.contains("I see the switch"), "{told}");
        }
        for (house, heard) in &houses {
            nothing_for(house, 25, heard);
        }
    }
    for (house, _) in &houses {
        house.ok(&["down"]);
    }
}
