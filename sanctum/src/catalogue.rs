//! Every service Sanctum ships. To add one: its crate, and a line here.

use sanctum_kernel::{Catalogue, Entry};

/// Checked while it compiles: names, ports, needs and calls.
pub static CATALOGUE: Catalogue = const {
    Catalogue::new(
        const {
            &[
                Entry::of::<sanctum_notify::Notify>(),
                Entry::of::<sanctum_firewall::Firewall>(),
                Entry::of::<sanctum_screen::Screen>(),
                Entry::of::<sanctum_proxy::Proxy>(),
                Entry::of::<sanctum_dashboard::Dashboard>(),
                Entry::of::<sanctum_supervise::Supervise>(),
                Entry::of::<sanctum_deadman::Deadman>(),
                Entry::of::<sanctum_watch::Watch>(),
                Entry::of::<sanctum_memory::Memory>(),
            ]
        },
    )
};
