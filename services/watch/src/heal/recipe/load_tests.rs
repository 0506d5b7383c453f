//! Good recipes, bad ones, and hostile ones.

use std::os::unix::fs::{PermissionsExt, symlink};

use proptest::prelude::*;

use super::*;

const GOOD: &str = "id = \"mend-it\"\nsummary = \"mends it\"\ntrigger = \"it is broken\"\nseverity = \"low\"\n\
                    cool-down = \"5m\"\nreversible = false\n[action.script]\nfile = \"mend.sh\"\n";

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        sanctum_kernel::files::replace(&folder.path().join(name), bytes, 0o600).unwrap();
    }
    folder
}

#[test]
fn every_shipped_recipe_is_good_and_there_are_more_than_twelve() {
    let book = load(Path::new("/nonexistent"));
    assert_eq!(book.complaints, Vec::<String>::new());
    assert_eq!(book.recipes.len(), SHIPPED.len());
    assert!(book.recipes.len() >= 12);
    for (id, recipe) in &book.recipes {
        assert_eq!(id, &recipe.id);
        assert_eq!(recipe.reversible, recipe.action.is_reversible(), "{id}");
    }
}

#[test]
fn the_owners_recipes_come_beside_the_shipped_ones_or_in_their_place() {
    let other = GOOD.replace("mend-it", "stuck-port").replace("mends it", "mends it my way");
    let folder =
        folder(&[("one.toml", GOOD.as_bytes()), ("two.toml", other.as_bytes()), ("note.txt", b"hello")]);
    let book = load(folder.path());
    assert_eq!(book.complaints, Vec::<String>::new());
    assert_eq!(book.recipes.len(), SHIPPED.len() + 1);
    assert_eq!(book.recipes["stuck-port"].summary, "mends it my way");
    assert!(matches!(&book.recipes["mend-it"].action, Remedy::Script(script) if script.file == "mend.sh"));
}

#[test]
fn every_complaint_comes_at_once_with_file_and_field() {
    let bad = "id = \"mend-it\"\nsummary = \"\"\ntrigger = \"it is broken\"\nseverity = \"loud\"\ncool-down = \"soon\"\n\
               reversible = true\ncolour = \"red\"\n[detector]\nchecks = [\"http\", \"telepathy\"]\n[action.script]\n\
               file = \"mend.sh\"\nuser = \"root\"\n";
    let folder = folder(&[("bad.toml", bad.as_bytes())]);
    let complaints = load(folder.path()).complaints;
    for wanted in [
        "bad.toml: severity: unknown variant `loud`",
        "bad.toml: cool-down: `soon` is not a length of time",
        "bad.toml: colour: unknown field `colour`",
        "bad.toml: detector.checks[1]: unknown variant `telepathy`",
        "bad.toml: action.script.user: unknown field `user`",
    ] {
        assert!(
            complaints.iter().any(|complaint| complaint.starts_with(wanted)),
            "{wanted}: {complaints:#?}"
        );
    }
}

#[test]
fn paths_that_escape_are_refused_where_they_are_written() {
    for name in ["../mend.sh", "/bin/sh", "a/b", "..", ".hidden", "", "a b", "x\u{0}", "é"] {
        let text = GOOD.replace("mend.sh", &name.escape_default().to_string());
        let folder = folder(&[("x.toml", text.as_bytes())]);
        let book = load(folder.path());
        assert!(!book.recipes.contains_key("mend-it"), "{name:?}");
        assert_eq!(book.complaints.len(), 1, "{name:?}: {:?}", book.complaints);
    }
    for id in ["../x", "a/b", "A", "", "-x", "x y", &"x".repeat(41)] {
        let text = GOOD.replace("mend-it", id);
        let folder = folder(&[("x.toml", text.as_bytes())]);
        assert_eq!(load(folder.path()).recipes.len(), SHIPPED.len(), "{id}");
    }
}

#[test]
fn hostile_files_are_complained_of_and_harm_nobody() {
    let giant = vec![b'#'; usize::try_from(LARGEST).unwrap() + 1];
    let deep = format!("x = {}{}", "[".repeat(20_000), "]".repeat(20_000));
    let folder = folder(&[
        ("giant.toml", &giant),
        ("bytes.toml", b"id = \"\xff\xfe\""),
        ("deep.toml", deep.as_bytes()),
        ("empty.toml", b""),
        ("twice.toml", format!("{GOOD}\nid = \"again\"").as_bytes()),
        ("one.toml", GOOD.as_bytes()),
        ("same.toml", GOOD.as_bytes()),
    ]);
    symlink("/etc/passwd", folder.path().join("link.toml")).unwrap();
    symlink(folder.path().join("one.toml"), folder.path().join("near.toml")).unwrap();
    std::fs::create_dir(folder.path().join("folder.toml")).unwrap();
    let fifo = folder.path().join("pipe.toml");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let book = load(folder.path());
    assert_eq!(book.recipes.len(), SHIPPED.len() + 1, "only the good one: {:?}", book.complaints);
    for name in ["giant", "bytes", "deep", "empty", "twice", "same", "link", "near", "folder", "pipe"] {
        let about =
            book.complaints.iter().filter(|complaint| complaint.starts_with(&format!("{name}.toml: ")));
        assert!(about.count() >= 1, "{name}: {:#?}", book.complaints);
    }
    assert!(
        book.complaints
            .iter()
            .any(|complaint| complaint == "same.toml: id: `mend-it` is already that of one.toml")
    );
}

#[test]
fn a_folder_that_cannot_be_read_is_said() {
    let folder = folder(&[]);
    let file = folder.path().join("recipes");
    sanctum_kernel::files::replace(&file, b"", 0o600).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let book = load(&file);
    assert_eq!((book.recipes.len(), book.complaints.len()), (SHIPPED.len(), 1));
}

proptest! {
    #[test]
    fn any_text_is_a_recipe_or_has_a_complaint(text in "(id|[a-z.\\[\\]\"=\n {}]){0,60}") {
        prop_assert!(parse(&text).is_ok() || parse(&text).is_err_and(|faults| !faults.is_empty()));
    }

    /// A good file with one place damaged is either still a recipe or is complained of; nothing else happens.
    #[test]
    fn a_damaged_recipe_never_becomes_another(at in 0..GOOD.len(), byte in any::<u8>()) {
        let mut bytes = GOOD.as_bytes().to_vec();
        bytes[at] = byte;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        match parse(&text) {
            Ok(recipe) => prop_assert!(is_id(&recipe.id) && rules(&recipe).is_empty()),
            Err(faults) => prop_assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.is_empty())),
        }
    }
}
