//! A certificate is valid for long enough: the one a server shows, or one in a file.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_http::{Verify, encrypt, pem_certificate, shown};
use sanctum_kernel::inventory::check::Certificate;
use x509_cert::der::Decode;

use crate::answer::span;
use crate::dial::{connect, split};
use crate::{Answer, Eyes, Stage};

/// Less time left is drift where nothing is said.
const SOON: Duration = Duration::from_hours(14 * 24);
/// A chain of certificates is never longer.
const LARGEST: u64 = 1 << 20;

pub(super) async fn look(eyes: &Eyes, certificate: &Certificate, stage: &Stage) -> Result<Answer, Answer> {
    let min = certificate.min_left.map_or(SOON, |left| left.0);
    let left = match (&certificate.address, &certificate.file) {
        (Some(address), _) => {
            let (host, port) = split(address)?;
            let stream = connect(eyes, host, port).await?;
            stage.connected();
            let host = host.trim_start_matches('[').trim_end_matches(']');
            // Whether it is believed is not the question here; an expired one would never be seen otherwise.
            let stream = encrypt(stream, host, Verify::Nobody).await;
            let stream = stream.map_err(|error| Answer::fail(format!("no encrypted connection: {error}")))?;
            left(eyes, shown(&stream).ok_or_else(|| Answer::unknown("it showed no certificate"))?)?
        }
        (None, Some(path)) => {
            let (path, place) = (path.clone(), path.display().to_string());
            let read = eyes.stuck.run(format!("certificate {place}"), move || read(&path)).await?;
            let pem = read.map_err(|error| Answer::of(&format!("`{place}` could not be read"), &error))?;
            let der = pem_certificate(&pem);
            left(eyes, &der.ok_or_else(|| Answer::fail(format!("`{place}` holds no certificate in PEM")))?)?
        }
        (None, None) => return Err(Answer::unknown("nothing says which certificate")),
    };
    Ok(judge(left, min))
}

fn read(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut pem = Vec::new();
    std::fs::File::open(path)?.take(LARGEST).read_to_end(&mut pem)?;
    Ok(pem)
}

/// How long it is valid from now on; negative once it is not. One that is not valid yet is as bad.
pub(super) fn left(eyes: &Eyes, der: &[u8]) -> Result<SignedDuration, Answer> {
    let certificate = x509_cert::Certificate::from_der(der)
        .map_err(|error| Answer::unknown(format!("its certificate cannot be read: {error}")))?;
    let validity = certificate.tbs_certificate().validity();
    let at = |time: x509_cert::time::Time| {
        let since = i64::try_from(time.to_unix_duration().as_secs()).ok();
        since.and_then(|since| Timestamp::from_second(since).ok()).unwrap_or(Timestamp::MAX)
    };
    let (begins, ends, now) = (at(validity.not_before), at(validity.not_after), eyes.clock.now());
    if now < begins {
        let wait = span(begins.duration_since(now).unsigned_abs());
        return Err(Answer::fail(format!("its certificate becomes valid only in {wait}")));
    }
    Ok(ends.duration_since(now))
}

pub(super) fn judge(left: SignedDuration, min: Duration) -> Answer {
    let days = left.as_secs_f64() / 86_400.0;
    let length = span(left.unsigned_abs());
    match Duration::try_from(left) {
        Err(_) => Answer::fail(format!("its certificate expired {length} ago")),
        Ok(left) if left < min => Answer::drift(format!("its certificate expires in {length}")),
        Ok(_) => Answer::pass(format!("its certificate is valid for {length}")),
    }
    .measured(days)
}
