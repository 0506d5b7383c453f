//! What follows from the name of a model that Anthropic serves.

/// Written where a request says no `max_tokens`, which Anthropic demands: what every model since Claude 3.5 can.
pub const DEFAULT_MAX_TOKENS: u64 = 8192;

/// What is written where a request says none. The first Claude 3 models end at 4,096.
pub fn max_tokens(model: &str) -> u64 {
    let old = ["claude-3-haiku", "claude-3-opus", "claude-3-sonnet", "claude-2", "claude-instant"];
    if old.iter().any(|old| model.contains(old)) { 4096 } else { DEFAULT_MAX_TOKENS }
}

/// Whether the model thinks as much as it finds fit (`adaptive`, with an effort) instead of within a budget: Claude since
/// 4.6. Servers of others that imitate the API know the budget.
pub(super) fn adaptive(model: &str) -> bool {
    let Some((_, rest)) = model.split_once("claude") else { return false };
    let mut numbers = rest
        .split(['-', '.', '@', ':', '_'])
        .skip_while(|token| !is_small(token))
        .map_while(|token| token.parse::<u32>().ok().filter(|_| is_small(token)));
    match (numbers.next(), numbers.next()) {
        (None, _) => true,
        (Some(major), minor) => (major, minor.unwrap_or(0)) >= (4, 6),
    }
}

/// A part of a version; dates are longer.
fn is_small(token: &str) -> bool {
    !token.is_empty() && token.len() <= 2 && token.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_names() {
        for (model, is_adaptive, most) in [
            ("claude-3-7-sonnet-20250219", false, 8192),
            ("claude-3-haiku-20240307", false, 4096),
            ("claude-opus-4-20250514", false, 8192),
            ("claude-sonnet-4-5-20250929", false, 8192),
            ("claude-opus-4-6", true, 8192),
            ("anthropic/claude-opus-4.7", true, 8192),
            ("claude-sonnet-5", true, 8192),
            ("claude-latest", true, 8192),
            ("deepseek-chat", false, 8192),
        ] {
            assert_eq!((adaptive(model), max_tokens(model)), (is_adaptive, most), "{model}");
        }
    }
}
