//! Wide and plain forms give the same, and both what they should.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "small whole numbers, exact in every type here"
)]

use super::*;

/// Numbers that repeat late.
fn noise(count: usize) -> Vec<f32> {
    (0..count).map(|at| ((at * 7919 + 13) % 1009) as f32 / 300.0 - 1.7).collect()
}

#[test]
fn wide_and_plain_agree() {
    let one: Vec<i8> = (0..384).map(|at| (at * 7 % 255 - 127) as i8).collect();
    let two: Vec<i8> = (0..384).map(|at| (at * 11 % 255 - 127) as i8).collect();
    assert_eq!(dot(&one, &two), plain::dot(&one, &two));
    let mut block = Signs::default();
    for (at, word) in [0, 1, 2, 3, 4, u64::MAX].into_iter().enumerate() {
        block[at][0] = word;
        block[at][7] = 7;
    }
    let (mut wide, mut plain) = (Vec::new(), Vec::new());
    differing(&[block, Signs::default()], &[1; 6], &mut wide);
    plain::differing(&[block, Signs::default()], &[1; 6], &mut plain);
    assert_eq!(wide, plain);
    assert_eq!((plain.len(), plain[0], plain[7], plain[15]), (16, 1 + 2 + 1 + 2 + 63, 12, 6));
}

#[test]
fn sums_of_products_are_exact_for_every_number_of_tokens() {
    let by_input: Vec<i8> = (0..64 * 96).map(|at: i32| (at * 31 % 255 - 127) as i8).collect();
    let by = Linear::new(&by_input, vec![0.5; 96], noise(96)).unwrap();
    for tokens in 1..20_usize {
        let bytes = (0..tokens * 64).map(|at| (at * 7919 % 256) as u8).collect();
        let spans = noise(tokens).into_iter().map(|least| Span { least, step: 0.01 }).collect();
        let wide = Wide { bytes, spans, width: 64 };
        let (mut sums, mut plain) = (vec![0.0; tokens * 96], vec![0.0; tokens * 96]);
        multiply(&wide, &by, &mut sums);
        plain::multiply(&wide, &by, &mut plain);
        assert_eq!(sums, plain);
        let column = |at: usize| i32::from(by_input[at * 96 + 17]);
        let sum: i32 = (0..64).map(|at| column(at) * i32::from(wide.bytes[at])).sum();
        let all: i32 = (0..64).map(column).sum();
        let Span { least, step } = wide.spans[0];
        assert_eq!(sums[17], (sum as f32 * step + all as f32 * least) * 0.5 + by.bias[17]);
    }
    assert!(Linear::new(&by_input, vec![0.5; 95], noise(95)).is_none());
}

#[test]
fn floating_loops_agree_to_the_last_bit() {
    for tokens in [1, 7, 16, 28, 256] {
        let together = noise(tokens * 3 * 2 * HEAD);
        let (mut wide, mut plain) = (vec![0.0; tokens * 2 * HEAD], vec![0.0; tokens * 2 * HEAD]);
        attend(&together, tokens, 2, &mut Vec::new(), &mut wide);
        plain::attend(&together, tokens, 2, &mut Vec::new(), &mut plain);
        assert_eq!(wide, plain);
        let (mut one, mut two) = (Wide::default(), Wide::default());
        widen(&together, 2 * HEAD, &mut one);
        plain::widen(&together, 2 * HEAD, &mut two);
        assert_eq!((one.bytes, one.spans), (two.bytes, two.spans));
        let (weight, more) = (noise(2 * HEAD), noise(tokens * 2 * HEAD));
        norm(&mut wide, &more, &weight, &weight);
        plain::norm(&mut plain, &more, &weight, &weight);
        assert_eq!(wide, plain);
        gelu(&mut wide);
        plain::gelu(&mut plain);
        assert_eq!(wide, plain);
    }
}

#[test]
fn a_token_comes_back_from_whole_numbers() {
    let row = noise(64);
    let mut wide = Wide::default();
    widen(&row, 64, &mut wide);
    let Span { least, step } = wide.spans[0];
    for (cell, byte) in row.iter().zip(&wide.bytes) {
        let back = least + f32::from(*byte) * step;
        assert!((back - cell).abs() <= step * 0.51, "{cell} {back}");
    }
}

#[test]
fn functions_are_what_they_approach() {
    for of in [-80.0_f32, -9.5, -1.0, -0.3, -1e-4, 0.0] {
        assert!((plain::exp(of) / of.exp() - 1.0).abs() < 1e-6, "{of}");
    }
    let mut cells = [-3.0, -1.0, 0.0, 0.5, 1.0, 3.0];
    gelu(&mut cells);
    // torch.nn.functional.gelu
    let expected = [-0.004_049_7, -0.158_655_25, 0.0, 0.345_731_2, 0.841_344_7, 2.995_950_2];
    assert!(cells.iter().zip(expected).all(|(one, two)| (one - two).abs() < 1e-5), "{cells:?}");
    // Two tokens whose keys are alike see the mean of both values.
    let token = |value: f32| [[1.0; HEAD], [0.0; HEAD], [value; HEAD]].concat();
    let mut seen = vec![0.0; 2 * HEAD];
    attend(&[token(1.0), token(3.0)].concat(), 2, 1, &mut Vec::new(), &mut seen);
    assert!(seen.iter().all(|cell| (cell - 2.0).abs() < 1e-6));
    let mut rows = [1.0, 2.0, 3.0, 6.0];
    norm(&mut rows, &[0.0; 4], &[1.0; 4], &[0.5; 4]);
    assert!((rows.iter().sum::<f32>() - 2.0).abs() < 1e-5, "{rows:?}");
    assert!((rows[3] - (0.5 + 3.0 / 3.5_f32.sqrt())).abs() < 1e-5, "{rows:?}");
}
