//! A TCP port takes connections, and whoever is behind it greets as it should.

use sanctum_kernel::inventory::check::Tcp;
use tokio::io::AsyncReadExt;

use crate::answer::excerpt;
use crate::dial::{dial, split};
use crate::{Answer, Eyes, Stage};

/// A greeting that has not shown its word by then will not.
const LONGEST: usize = 4096;

pub(super) async fn look(eyes: &Eyes, tcp: &Tcp, stage: &Stage) -> Result<Answer, Answer> {
    let (host, port) = split(&tcp.address)?;
    let line = dial(eyes, host, port).await?;
    let Some(banner) = &tcp.banner else { return Ok(Answer::pass("takes connections")) };
    stage.connected();
    let mut stream = line.stream().map_err(|error| Answer::of("it hung up before it greeted", &error))?;
    let mut greeting = Vec::new();
    loop {
        let count = stream.read_buf(&mut greeting).await;
        let count = count.map_err(|error| Answer::of("it hung up before it greeted", &error))?;
        if greeting.windows(banner.len().max(1)).any(|part| part == banner.as_bytes()) {
            return Ok(Answer::pass(format!("greets with `{}`", excerpt(&greeting))));
        }
        if count == 0 || greeting.len() >= LONGEST {
            let seen = if greeting.is_empty() {
                "it hung up without a greeting".to_owned()
            } else {
                format!("it greets with `{}` instead of `{banner}`", excerpt(&greeting))
            };
            return Err(Answer::fail(seen));
        }
    }
}
