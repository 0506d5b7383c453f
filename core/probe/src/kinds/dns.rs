//! A name resolves: by the system's resolver, or by one server that is asked in its own tongue (RFC 1035).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use sanctum_kernel::inventory::check::Dns;
use sanctum_kernel::trace::random;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::udp;
use crate::dial::{connect, split};
use crate::{Answer, Eyes};

/// A question that got lost is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// What an answer over UDP may be where no one asked for more (RFC 1035, section 2.3.4), and then some.
const LARGEST: usize = 4096;
const A: u16 = 1;
const AAAA: u16 = 28;

pub(super) async fn look(eyes: &Eyes, dns: &Dns) -> Result<Answer, Answer> {
    let expect: Option<IpAddr> = dns.expect.as_ref().and_then(|expect| expect.parse().ok());
    let found: Vec<IpAddr> = match &dns.server {
        None => eyes.names.afresh(&dns.name).await?.to_vec(),
        Some(server) => {
            let kind = if expect.is_some_and(|ip| ip.is_ipv6()) { AAAA } else { A };
            let mut found = ask(eyes, server, &dns.name, kind).await?;
            if found.is_empty() && expect.is_none() {
                found = ask(eyes, server, &dns.name, AAAA).await?;
            }
            found
        }
    };
    let list = found.iter().take(4).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match expect {
        _ if found.is_empty() => Err(Answer::fail("the name has no address")),
        Some(ip) if !found.contains(&ip) => Err(Answer::fail(format!("leads to {list} instead of {ip}"))),
        _ => Ok(Answer::pass(format!("leads to {list}"))),
    }
}

async fn ask(eyes: &Eyes, server: &str, name: &str, kind: u16) -> Result<Vec<IpAddr>, Answer> {
    let (host, port) = split(server)?;
    let id = u16::from_be_bytes(random::<2>());
    let question = question(id, name, kind)?;
    let socket = udp::socket(eyes, host, port).await?;
    let silent = |error| Answer::of(&format!("{server} gives no answer"), &error);
    let mut answer = vec![0; LARGEST];
    loop {
        socket.send(&question).await.map_err(silent)?;
        let heard = async {
            loop {
                let count = socket.recv(&mut answer).await?;
                let said = answer.get(..count).unwrap_or_default();
                // An answer to somebody else's question, or a forged one.
                if said.starts_with(&id.to_be_bytes()) {
                    return Ok(count);
                }
            }
        };
        let Ok(count) = tokio::time::timeout(AGAIN, heard).await else { continue };
        let said = answer.get(..count.map_err(silent)?).unwrap_or_default();
        // Cut off (RFC 1035, section 4.1.1): the whole of it comes over TCP.
        if said.get(2).is_some_and(|flags| flags & 2 != 0) {
            return read(&whole(eyes, host, port, &question).await?, kind);
        }
        return read(said, kind);
    }
}

async fn whole(eyes: &Eyes, host: &str, port: u16, question: &[u8]) -> Result<Vec<u8>, Answer> {
    let mut stream = connect(eyes, host, port).await?;
    let broken = |error| Answer::of("the long answer broke off", &error);
    let length = u16::try_from(question.len()).unwrap_or(u16::MAX).to_be_bytes();
    stream.write_all(&[&length, question].concat()).await.map_err(broken)?;
    let length = stream.read_u16().await.map_err(broken)?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await.map_err(broken)?;
    Ok(answer)
}

fn question(id: u16, name: &str, kind: u16) -> Result<Vec<u8>, Answer> {
    let mut text = Vec::with_capacity(name.len() + 18);
    text.extend_from_slice(&id.to_be_bytes());
    // Recursion is desired; one question.
    text.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        let length =
            u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length) && label.is_ascii());
        text.push(length.ok_or_else(|| Answer::unknown(format!("`{name}` cannot be asked for")))?);
        text.extend_from_slice(label.as_bytes());
    }
    text.push(0);
    text.extend_from_slice(&kind.to_be_bytes());
    text.extend_from_slice(&[0, 1]);
    Ok(text)
}

/// The addresses in an answer.
fn read(answer: &[u8], kind: u16) -> Result<Vec<IpAddr>, Answer> {
    let garbled = || Answer::fail("its answer is not one of a name server");
    let mut at = Reader(answer, 2);
    let flags = at.number().ok_or_else(garbled)?;
    match flags & 15 {
        0 if flags & 0x8000 != 0 => {}
        0 => return Err(garbled()),
        2 => return Err(Answer::fail("the server failed to find out (SERVFAIL)")),
        3 => return Err(Answer::fail("there is no such name (NXDOMAIN)")),
        5 => return Err(Answer::fail("the server refuses to say (REFUSED)")),
        code => return Err(Answer::fail(format!("the server answered with error {code}"))),
    }
    let records = at.records(kind);
    records.ok_or_else(garbled)
}

struct Reader<'a>(&'a [u8], usize);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.0.get(self.1..self.1.checked_add(count)?)?;
        self.1 += count;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    /// A name, whose end may lie elsewhere.
    fn skip_name(&mut self) -> Option<()> {
        loop {
            match *self.take(1)?.first()? {
                0 => return Some(()),
                length if length >= 0xC0 => return self.take(1).map(drop),
                length => self.take(usize::from(length))?,
            };
        }
    }

    fn records(&mut self, kind: u16) -> Option<Vec<IpAddr>> {
        let (questions, answers) = (self.number()?, self.number()?);
        self.take(4)?;
        for _ in 0..questions {
            self.skip_name()?;
            self.take(4)?;
        }
        let mut found = Vec::new();
        for _ in 0..answers {
            self.skip_name()?;
            let is = self.number()?;
            self.take(6)?;
            let length = self.number()?;
            let data = self.take(usize::from(length))?;
            if is == kind && kind == A {
                found.push(<[u8; 4]>::try_from(data).ok().map(Ipv4Addr::from)?.into());
            } else if is == kind {
                found.push(<[u8; 16]>::try_from(data).ok().map(Ipv6Addr::from)?.into());
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            read(&bytes, A).ok();
            read(&[&[0, 0, 0x80, 0], &*bytes].concat(), AAAA).ok();
        }
    }
}
