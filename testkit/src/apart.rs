//! A house in a process of its own, for whoever kills it: the test's binary, run again as a child.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use sanctum_host::{Plan, start};
use sanctum_kernel::{Catalogue, Clock, Paths};

/// Where the child finds its house; only set for the child.
const HOME: &str = "SANCTUM_TEST_HOME";

/// The body of a test that is the child: serves the house until it is killed. Where the test runs by itself, nothing. `names`:
/// what is started; all that the configuration wants if empty.
pub async fn serve(catalogue: &'static Catalogue, names: &[&'static str]) {
    let Ok(home) = std::env::var(HOME) else { return };
    let paths = Paths::new(home);
    paths.prepare().unwrap();
    let loaded = sanctum_settings::load(&paths.config(), catalogue).unwrap();
    let plan = Plan { catalogue, paths, loaded, names: names.to_vec(), clock: Clock::system(), begins: true };
    let _running = start(plan).await.unwrap();
    std::future::pending::<()>().await;
}

/// The child. It ends with this.
#[derive(Debug)]
pub struct Apart(Child);

impl Apart {
    /// Runs this binary again with nothing but `test`, which calls [`serve`].
    pub fn begin(test: &str, home: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture"]).env(HOME, home);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Apart {
    /// SIGKILL.
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
