//! Reasoning that local models write into their text: `<think>…</think>` at the very beginning.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// A piece of an answer's text, told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'t> {
    Thinking(&'t str),
    Text(&'t str),
}

/// Tells reasoning from text while pieces arrive that may be cut anywhere.
#[derive(Debug, Default)]
pub struct Splitter {
    state: State,
    held: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing but blanks and a beginning of the tag so far.
    #[default]
    Start,
    Inside,
    /// Line ends between the tag and the text belong to neither.
    After,
    Text,
}

impl Splitter {
    /// For a provider that tells its reasoning in a field of its own: everything is text.
    pub fn off(&mut self, mut each: impl FnMut(Piece<'_>)) {
        self.finish(&mut each);
        self.state = State::Text;
    }

    pub fn push(&mut self, text: &str, mut each: impl FnMut(Piece<'_>)) {
        let plain = self.state == State::Text
            || (self.state == State::Start
                && self.held.is_empty()
                && text.trim_start().chars().next().is_some_and(|first| first != '<'));
        if plain {
            self.state = State::Text;
            if !text.is_empty() {
                each(Piece::Text(text));
            }
            return;
        }
        self.held.push_str(text);
        let held = std::mem::take(&mut self.held);
        let rest = self.advance(&held, &mut each);
        self.held.push_str(rest);
    }

    /// Hands out what is certain and returns what must wait.
    fn advance<'t>(&mut self, mut rest: &'t str, each: &mut impl FnMut(Piece<'_>)) -> &'t str {
        loop {
            match self.state {
                State::Start => {
                    let begun = rest.trim_start();
                    if let Some(inside) = begun.strip_prefix(OPEN) {
                        self.state = State::Inside;
                        rest = inside;
                    } else if OPEN.starts_with(begun) {
                        return rest;
                    } else {
                        self.state = State::Text;
                    }
                }
                State::Inside => {
                    let Some((thought, after)) = rest.split_once(CLOSE) else {
                        let (sure, wait) = rest.split_at(rest.len() - half_tag(rest));
                        if !sure.is_empty() {
                            each(Piece::Thinking(sure));
                        }
                        return wait;
                    };
                    if !thought.is_empty() {
                        each(Piece::Thinking(thought));
                    }
                    self.state = State::After;
                    rest = after;
                }
                State::After => {
                    rest = rest.trim_start_matches(['\n', '\r']);
                    if rest.is_empty() {
                        return rest;
                    }
                    self.state = State::Text;
                }
                State::Text => {
                    if !rest.is_empty() {
                        each(Piece::Text(rest));
                    }
                    return "";
                }
            }
        }
    }

    /// Hands out what was held back.
    pub fn finish(&mut self, mut each: impl FnMut(Piece<'_>)) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            each(if self.state == State::Inside { Piece::Thinking(&held) } else { Piece::Text(&held) });
        }
    }
}

/// How many bytes at the end may be the beginning of the closing tag.
fn half_tag(text: &str) -> usize {
    (1..CLOSE.len())
        .rev()
        .find(|length| CLOSE.get(..*length).is_some_and(|half| text.ends_with(half)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split<'t>(pieces: impl IntoIterator<Item = &'t str>) -> (String, String) {
        let (mut thinking, mut text) = (String::new(), String::new());
        let mut each = |piece: Piece<'_>| match piece {
            Piece::Thinking(piece) => thinking.push_str(piece),
            Piece::Text(piece) => text.push_str(piece),
        };
        let mut splitter = Splitter::default();
        for piece in pieces {
            splitter.push(piece, &mut each);
        }
        splitter.finish(&mut each);
        (thinking, text)
    }

    #[test]
    fn only_a_leading_tag_counts() {
        let cases = [
            ("<think>a</think>\n\nb", "a", "b"),
            ("\n<think>\na\n</think>b</think>", "\na\n", "b</think>"),
            ("<think></think>b", "", "b"),
            ("<think>cut", "cut", ""),
            ("<thinking>a</thinking>", "", "<thinking>a</thinking>"),
            ("see <think>", "", "see <think>"),
            ("<thi", "", "<thi"),
            ("  \n", "", "  \n"),
            ("", "", ""),
        ];
        for (given, thinking, text) in cases {
            assert_eq!(split([given]), (thinking.to_owned(), text.to_owned()), "{given:?}");
        }
    }

    #[test]
    fn switched_off_nothing_is_lost() {
        let mut splitter = Splitter::default();
        let mut seen = String::new();
        splitter.push("<th", |_| unreachable!());
        let mut each = |piece: Piece<'_>| match piece {
            Piece::Text(text) => seen.push_str(text),
            Piece::Thinking(_) => unreachable!(),
        };
        splitter.off(&mut each);
        splitter.push("ink>x", &mut each);
        assert_eq!(seen, "<think>x");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(
            text in "[ \n]{0,2}(<think>)?[a<\n]{0,3}(</think>)?[\n]{0,2}[b<>/]{0,4}",
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        ) {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            let pieces = at.windows(2).map(|pair| text.get(pair[0]..pair[1]).unwrap());
            prop_assert_eq!(split(pieces), split([text.as_str()]));
        }
    }
}
