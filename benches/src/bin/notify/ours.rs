//! The real service in a process of its own: the catalogue with nothing but notify, a webhook, and no limit.

use sanctum_host::{Plan, start};
use sanctum_kernel::{Catalogue, Clock, Entry, Failure, Paths, files};
use sanctum_notify::Notify;

static CATALOGUE: Catalogue = const { Catalogue::new(const { &[Entry::of::<Notify>()] }) };

pub(crate) async fn serve(home: &str, port: &str, sink: &str) -> Result<(), Failure> {
    let paths = Paths::new(home);
    paths.prepare()?;
    let config = format!(
        "[listen]\nnotify = \"127.0.0.1:{port}\"\n[notify]\nper-hour = 0\n[notify.roles]\nphone = [\"sink\"]\ndashboard = []\n\
         [notify.channel.webhook.sink]\nurl = \"{sink}\"\n[notify.delivery]\nfirst-wait = \"100ms\"\nbreaker-open = \"500ms\"\n"
    );
    files::replace(&paths.config(), config.as_bytes(), 0o600)?;
    let loaded =
        sanctum_settings::load(&paths.config(), &CATALOGUE).map_err(|problems| problems.to_string())?;
    let plan = Plan {
        catalogue: &CATALOGUE,
        paths,
        loaded,
        names: Vec::new(),
        clock: Clock::system(),
        begins: true,
    };
    let _running = start(plan).await.map_err(|error| sanctum_kernel::Chain(&error).to_string())?;
    std::future::pending::<()>().await;
    Ok(())
}
