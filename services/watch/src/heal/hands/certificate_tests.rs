//! Certificates of every kind of key that is used at home, made by another program.

use std::process::Command;

use super::*;

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().expect("this test needs openssl(1)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A certificate and its key, in `folder`.
fn made(folder: &Path, kind: &[&str]) -> (PathBuf, PathBuf) {
    let (path, key) = (folder.join("house.pem"), folder.join("house.key"));
    let (shown, shown_key) = (path.display().to_string(), key.display().to_string());
    let mut arguments = vec!["req", "-x509", "-nodes", "-keyout", &shown_key, "-out", &shown, "-days", "30"];
    arguments.extend([
        "-subj",
        "/CN=house.home/O=Home",
        "-addext",
        "subjectAltName=DNS:house.home,IP:192.168.7.1",
    ]);
    arguments.extend(kind);
    openssl(&arguments);
    (path, key)
}

#[test]
fn it_is_issued_again_with_the_same_key_and_names_for_every_kind_of_key() {
    let now: Timestamp = "2026-11-22T05:00:00Z".parse().unwrap();
    for kind in [
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"][..],
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha384"],
        &["-newkey", "ed25519"],
        &["-newkey", "rsa:2048"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = made(folder.path(), kind);
        let text = std::fs::read_to_string(&path).unwrap();
        let old = only(&text).unwrap();
        let old = Certificate::read(&old).unwrap();
        assert!(old.is_self_signed(), "{kind:?}");
        let key = private(&std::fs::read_to_string(&key).unwrap()).unwrap();
        let fresh = old.again(&key, now, Duration::from_hours(24 * 397)).unwrap();
        let new = Certificate::read(&fresh).unwrap();
        assert!(new.is_self_signed() && new.is_like(&old), "{kind:?}");
        assert_eq!(new.ends.to_string(), "2027-12-24T05:00:00Z");
        let out = folder.path().join("new.pem");
        sanctum_kernel::files::replace(&out, der::make_pem("CERTIFICATE", &fresh).as_bytes(), 0o600).unwrap();
        let out = out.display().to_string();
        assert!(openssl(&["verify", "-attime", "1800000000", "-CAfile", &out, &out]).contains("OK"));
        let shown = openssl(&["x509", "-in", &out, "-noout", "-text"]);
        assert!(shown.contains("DNS:house.home") && shown.contains("192.168.7.1"), "{shown}");
    }
}

#[test]
fn another_key_issues_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = made(folder.path(), &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let other = tempfile::tempdir().unwrap();
    let (_, key) = made(other.path(), &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let old = only(&std::fs::read_to_string(path).unwrap()).unwrap();
    let key = private(&std::fs::read_to_string(key).unwrap()).unwrap();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    assert_eq!(Certificate::read(&old).unwrap().again(&key, now, Duration::from_hours(1)), None);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        if let Some(found) = Certificate::read(&bytes) {
            found.is_self_signed();
        }
    }
}
