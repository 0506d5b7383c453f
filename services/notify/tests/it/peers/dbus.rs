//! A small notification service on a real session bus, with a D-Bus of its own so that two readings of the
//! specification meet.

#![expect(clippy::cast_possible_truncation, reason = "messages of a test are small")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// What was shown, a line each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown(Arc<Mutex<Vec<String>>>);

impl Shown {
    pub(crate) async fn wait(&self, count: usize) -> Vec<String> {
        sanctum_testkit::eventually("notifications shown", crate::house::PATIENCE, async || {
            let lines = self.0.lock().unwrap().clone();
            (lines.len() >= count).then_some(lines)
        })
        .await
    }
}

/// Reads little-endian values.
struct In(Vec<u8>, usize);

impl In {
    fn u32(&mut self) -> u32 {
        self.1 = self.1.next_multiple_of(4);
        self.1 += 4;
        u32::from_le_bytes(self.0[self.1 - 4..self.1].try_into().unwrap())
    }

    fn text(&mut self, length: usize) -> String {
        let text = String::from_utf8(self.0[self.1..self.1 + length].to_vec()).unwrap();
        assert_eq!(self.0[self.1 + length], 0, "a string ends in NUL");
        self.1 += length + 1;
        text
    }

    fn string(&mut self) -> String {
        let length = self.u32() as usize;
        self.text(length)
    }

    fn signature(&mut self) -> String {
        let length = usize::from(self.0[self.1]);
        self.1 += 1;
        self.text(length)
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.bytes());
    out.push(0);
}

/// A whole message; fields are code, signature and value.
fn message(kind: u8, serial: u32, fields: &[(u8, &str, Result<&str, u32>)], body: &[u8]) -> Vec<u8> {
    let mut head = vec![b'l', kind, 0, 1];
    head.extend((body.len() as u32).to_le_bytes());
    head.extend(serial.to_le_bytes());
    head.extend([0; 4]);
    for (code, signature, value) in fields {
        head.resize(head.len().next_multiple_of(8), 0);
        head.extend([*code, 1, signature.as_bytes()[0], 0]);
        match value {
            Ok(text) if *signature == "g" => {
                head.push(text.len() as u8);
                head.extend(text.bytes());
                head.push(0);
            }
            Ok(text) => put_string(&mut head, text),
            Err(number) => {
                head.resize(head.len().next_multiple_of(4), 0);
                head.extend(number.to_le_bytes());
            }
        }
    }
    let length = (head.len() as u32 - 16).to_le_bytes();
    head[12..16].copy_from_slice(&length);
    head.resize(head.len().next_multiple_of(8), 0);
    head.extend(body);
    head
}

/// Kind, serial, sender, member and body of the next message.
async fn next(stream: &mut BufReader<UnixStream>) -> Option<(u8, u32, String, String, In)> {
    let mut start = [0; 16];
    stream.read_exact(&mut start).await.ok()?;
    let mut head = In(start.to_vec(), 4);
    let (body, serial, fields) = (head.u32() as usize, head.u32(), head.u32() as usize);
    let mut rest = vec![0; fields.next_multiple_of(8)];
    stream.read_exact(&mut rest).await.ok()?;
    let (mut head, mut sender, mut member) = (In(rest, 0), String::new(), String::new());
    while head.1 < fields {
        head.1 = head.1.next_multiple_of(8);
        let code = head.0[head.1];
        head.1 += 1;
        match head.signature().as_str() {
            "u" => drop(head.u32()),
            "g" => drop(head.signature()),
            _ => match code {
                3 => member = head.string(),
                7 => sender = head.string(),
                _ => drop(head.string()),
            },
        }
    }
    let mut bytes = vec![0; body];
    stream.read_exact(&mut bytes).await.ok()?;
    Some((start[1], serial, sender, member, In(bytes, 0)))
}

/// The arguments of `Notify`, `susssasa{sv}i`, as a line.
fn line(mut body: In) -> (u32, String) {
    let (app, replaces) = (body.string(), body.u32());
    let (_icon, title, text) = (body.string(), body.string(), body.string());
    let length = body.u32() as usize;
    let end = body.1 + length;
    let mut actions = Vec::new();
    while body.1 < end {
        actions.push(body.string());
    }
    let length = body.u32() as usize;
    body.1 = body.1.next_multiple_of(8);
    let end = body.1 + length;
    let hint = body.string();
    assert_eq!(body.signature(), "y");
    let urgency = body.0[body.1];
    body.1 = end;
    let expire = body.u32().cast_signed();
    (replaces, format!("{app}|{replaces}|{title}|{text}|{}|{hint} {urgency}|{expire}", actions.join(",")))
}

/// Serves `org.freedesktop.Notifications`; whoever is shown something with a button presses it.
#[expect(clippy::disallowed_methods, reason = "a peer of a test is no service")]
pub(crate) async fn serve(path: PathBuf) -> Shown {
    const NAME: &str = "org.freedesktop.Notifications";
    const DBUS: &str = "org.freedesktop.DBus";
    let mut stream = BufReader::new(UnixStream::connect(path).await.unwrap());
    let uid = String::from_utf8(std::process::Command::new("id").arg("-u").output().unwrap().stdout).unwrap();
    let uid = sanctum_kernel::trace::hex(uid.trim().as_bytes());
    stream.write_all(format!("\0AUTH EXTERNAL {uid}\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    assert!(answer.starts_with("OK"), "{answer}");
    stream.write_all(b"BEGIN\r\n").await.unwrap();
    let call = |member| {
        [(1, "o", Ok("/org/freedesktop/DBus")), (2, "s", Ok(DBUS)), (3, "s", Ok(member)), (6, "s", Ok(DBUS))]
    };
    stream.write_all(&message(1, 1, &call("Hello"), &[])).await.unwrap();
    let mut name = Vec::new();
    put_string(&mut name, NAME);
    name.resize(name.len().next_multiple_of(4), 0);
    name.extend(0_u32.to_le_bytes());
    let fields: Vec<_> = call("RequestName").into_iter().chain([(8, "g", Ok("su"))]).collect();
    stream.write_all(&message(1, 2, &fields, &name)).await.unwrap();
    loop {
        let (kind, _, _, member, _) = next(&mut stream).await.unwrap();
        if kind == 4 && member == "NameAcquired" {
            // The first is for the connection's own name; a look by name is answered from now on all the same.
            break;
        }
    }
    let shown = Shown::default();
    let lines = shown.clone();
    tokio::spawn(async move {
        let (mut serial, mut last) = (10, 40_u32);
        while let Some((kind, asked, sender, member, body)) = next(&mut stream).await {
            if kind != 1 || member != "Notify" {
                continue;
            }
            let (replaces, line) = line(body);
            let pressed = line.contains("|ack,");
            last = if replaces == 0 { last + 1 } else { last };
            lines.0.lock().unwrap().push(line);
            serial += 2;
            let fields = [(5, "u", Err(asked)), (6, "s", Ok(sender.as_str())), (8, "g", Ok("u"))];
            stream.write_all(&message(2, serial, &fields, &last.to_le_bytes())).await.unwrap();
            if pressed {
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                let mut body = last.to_le_bytes().to_vec();
                put_string(&mut body, "ack");
                let fields = [
                    (1, "o", Ok("/org/freedesktop/Notifications")),
                    (2, "s", Ok(NAME)),
                    (3, "s", Ok("ActionInvoked")),
                    (8, "g", Ok("us")),
                ];
                stream.write_all(&message(4, serial + 1, &fields, &body)).await.unwrap();
            }
        }
    });
    shown
}
