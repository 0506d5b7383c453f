//! What a request costs, in whole nanos, from prices as a person writes them.

use sanctum_llm::Usage;

use crate::kinds::{Nano, Price};

/// Prices are held in million-millionths of a dollar a million tokens, so that a tenth and five quarters of any price
/// with up to ten decimals stay whole.
const FINE: f64 = 1e12;
/// From fine units times tokens to nanos: a million tokens, and a thousand fine units a nano.
const PER_NANO: u128 = 1_000_000 * 1_000;

/// A price a million tokens in fine units. What is not a price (negative, not a number) costs nothing here; the
/// check of the configuration refuses it before.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what fits, and never negative"
)]
fn fine(dollars: f64) -> u128 {
    if dollars > 0.0 { (dollars * FINE).round().min(1e30) as u128 } else { 0 }
}

/// What `usage` costs at `price`, summed exactly and rounded up to the nano once, at the end.
///
/// Reading from a provider's cache costs a tenth of the input price, writing to it for five minutes 1.25 times and for
/// an hour twice (Anthropic's price list), unless the price says otherwise. A provider whose parts exceed its own
/// total of input is charged for the parts.
pub fn cost(price: &Price, usage: &Usage) -> Nano {
    let input = fine(price.input);
    let cached = price.cached.map_or(input / 10, fine);
    let written_5m = price.cache_write.map_or(input * 5 / 4, fine);
    let written_1h = price.cache_write_hour.map_or(input * 2, fine);
    let parts = usage.cached.saturating_add(usage.written_5m).saturating_add(usage.written_1h);
    let plain = usage.input.saturating_sub(parts);
    let sum = [
        (plain, input),
        (usage.cached, cached),
        (usage.written_5m, written_5m),
        (usage.written_1h, written_1h),
        (usage.output, fine(price.output)),
    ]
    .into_iter()
    .fold(0_u128, |sum, (tokens, price)| sum.saturating_add(u128::from(tokens).saturating_mul(price)));
    Nano(u64::try_from(sum.div_ceil(PER_NANO)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price(input: f64, output: f64) -> Price {
        Price { input, output, ..Price::default() }
    }

    #[test]
    fn a_bill_of_a_known_price_list_comes_out_to_the_nano() {
        // Three dollars in, fifteen out: 1,000 plain, 10,000 read at 0.30, 2,000 written at 3.75, 400 at 6.00, 500 out.
        let usage = Usage {
            input: 13_400,
            cached: 10_000,
            written_5m: 2_000,
            written_1h: 400,
            output: 500,
            reasoning: 100,
        };
        let expected = 3_000_000 + 3_000_000 + 7_500_000 + 2_400_000 + 7_500_000;
        assert_eq!(cost(&price(3.0, 15.0), &usage), Nano(expected));
    }

    #[test]
    fn prices_that_are_given_replace_the_usual_shares() {
        let own = Price {
            input: 2.0,
            cached: Some(0.5),
            cache_write: Some(2.0),
            cache_write_hour: Some(0.0),
            output: 8.0,
        };
        let usage = Usage {
            input: 3_000_000,
            cached: 1_000_000,
            written_5m: 1_000_000,
            written_1h: 1_000_000,
            ..Usage::default()
        };
        assert_eq!(cost(&own, &usage), Nano(2_500_000_000));
    }

    #[test]
    fn a_fraction_of_a_nano_is_rounded_up_once() {
        // 0.0001 dollars a million tokens: a tenth of a nano each.
        let tiny = price(0.0001, 0.0001);
        assert_eq!(cost(&tiny, &Usage { input: 1, ..Usage::default() }), Nano(1));
        assert_eq!(cost(&tiny, &Usage { input: 5, output: 5, ..Usage::default() }), Nano(1));
        assert_eq!(cost(&tiny, &Usage { input: 6, output: 5, ..Usage::default() }), Nano(2));
        assert_eq!(cost(&tiny, &Usage::default()), Nano(0));
    }

    #[test]
    fn nonsense_neither_overflows_nor_pays_back() {
        let most = Usage {
            input: u64::MAX,
            cached: u64::MAX,
            written_5m: u64::MAX,
            written_1h: 7,
            output: u64::MAX,
            reasoning: 0,
        };
        assert_eq!(cost(&price(1e300, f64::INFINITY), &most), Nano(u64::MAX));
        assert_eq!(cost(&price(-3.0, f64::NAN), &most), Nano(0));
        let more_than_all = Usage { input: 1_000_000, cached: 2_000_000, ..Usage::default() };
        assert_eq!(cost(&price(1.0, 0.0), &more_than_all), Nano(200_000_000));
    }

    proptest! {
        /// Prices with up to six decimals, as lists have them, against the same sum in whole numbers.
        #[test]
        fn it_is_the_sum_in_whole_numbers(micro in 0_u64..100_000_000, out in 0_u64..100_000_000, plain in 0_u64..2_000_000, cached in 0_u64..2_000_000, five in 0_u64..2_000_000, hour in 0_u64..2_000_000, output in 0_u64..2_000_000) {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let listed = price(micro as f64 / 1e6, out as f64 / 1e6);
            let usage = Usage { input: plain + cached + five + hour, cached, written_5m: five, written_1h: hour, output, reasoning: 0 };
            let (micro, out) = (u128::from(micro), u128::from(out));
            // In twentieths of micro-dollars a million tokens: a nano is 20 * 10^3 * ... of them.
            let twentieths = u128::from(plain) * micro * 20 + u128::from(cached) * micro * 2 + u128::from(five) * micro * 25 + u128::from(hour) * micro * 40 + u128::from(output) * out * 20;
            prop_assert_eq!(u128::from(cost(&listed, &usage).0), twentieths.div_ceil(20_000));
        }

        #[test]
        fn more_tokens_never_cost_less(input in 0_u64..1_000_000, output in 0_u64..1_000_000, more in 0_u64..1000) {
            let listed = price(0.15, 0.6);
            let few = cost(&listed, &Usage { input, output, ..Usage::default() });
            let many = cost(&listed, &Usage { input: input + more, output: output + more, ..Usage::default() });
            prop_assert!(few <= many);
        }
    }
}
