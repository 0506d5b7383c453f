//! Declaring what comes in kinds: one file and one line each.

/// Declares the modules of a plug-in point and the configuration table that selects among them.
///
/// Each line names a module (a file beside the table) that must hold a `Config` (`Deserialize`, `JsonSchema`,
/// strict) and a `const SUMMARY: &str`. In the file they appear as `[notify.channel.ntfy.phone]`: kind, then a name
/// of the owner's choosing. The kind is a key and not a tag, so unknown kinds and unknown keys are reported with
/// their position. `each!(|kind, name, config| …)` is not needed: `into_each` yields every configured one
/// through the closure given for its kind by the module's own `build`.
#[macro_export]
macro_rules! kinds {
    ($(#[$meta:meta])* $vis:vis struct $table:ident { $($kind:ident),+ $(,)? }) => {
        $(pub(crate) mod $kind;)+

        $(#[$meta])*
        #[derive(Debug, Clone, Default, ::serde::Deserialize, ::schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
        $vis struct $table {
            $(
                #[doc = concat!("Channels, backends or other instances of the kind `", stringify!($kind), "`, by name.")]
                pub $kind: ::std::collections::BTreeMap<String, $kind::Config>,
            )+
        }

        impl $table {
            /// The kinds this build knows and what each is, for help, docs and the dashboard.
            $vis const KINDS: &[(&str, &str)] = &[$((stringify!($kind), $kind::SUMMARY)),+];
        }
    };
    // With a trait object type that every `Config` coerces to, the table can also be walked.
    ($(#[$meta:meta])* $vis:vis struct $table:ident as $object:ty { $($kind:ident),+ $(,)? }) => {
        $crate::kinds! { $(#[$meta])* $vis struct $table { $($kind),+ } }

        impl $table {
            /// Every configured one: its kind, its name, its configuration.
            pub(crate) fn each(&self) -> Vec<(&'static str, &str, &$object)> {
                let mut all: Vec<(&'static str, &str, &$object)> = Vec::new();
                $(all.extend(self.$kind.iter().map(|(name, config)| (stringify!($kind), name.as_str(), config as &$object)));)+
                all
            }
        }
    };
}
