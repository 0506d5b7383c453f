//! The bars of issue 4, in virtual time.

use super::*;

#[test]
fn graphs_of_chance() {
    let score = graphs(0..40);
    for (seed, why) in &score.odd {
        eprintln!("seed {seed}: {why}");
    }
    eprintln!("{score:?}");
}
