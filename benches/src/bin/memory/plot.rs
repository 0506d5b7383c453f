//! How a question's cost grows with the number of notes, drawn.

use std::fmt::Write;

/// Of one number of notes: milliseconds of processor time, and of the slowest of a hundred as clients wait.
pub(crate) struct Point {
    pub(crate) notes: u32,
    pub(crate) processor: f64,
    pub(crate) slow: f64,
}

const WIDE: f64 = 720.0;
const HIGH: f64 = 420.0;
/// Left, top, right, bottom.
const MARGINS: [f64; 4] = [64.0, 48.0, 24.0, 48.0];

/// An SVG with both axes logarithmic, so that what grows with the notes is a line of slope one; such a line is drawn too.
pub(crate) fn svg(points: &[Point]) -> String {
    let notes = span(points.iter().map(|point| f64::from(point.notes)));
    let times = span(points.iter().flat_map(|point| [point.processor, point.slow]));
    let [left, top, right, bottom] = MARGINS;
    let x = |value: f64| left + (value.log10() - notes.0) / (notes.1 - notes.0) * (WIDE - left - right);
    let y =
        |value: f64| HIGH - bottom - (value.log10() - times.0) / (times.1 - times.0) * (HIGH - top - bottom);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDE} {HIGH}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDE}\" height=\"{HIGH}\" fill=\"#fff\"/>\n\
         <text x=\"{left}\" y=\"24\" font-size=\"16\">A recall among so many notes, 8 clients, milliseconds</text>\n"
    );
    for power in notes.0 as i32..=notes.1 as i32 {
        let (value, at) = (10_f64.powi(power), x(10_f64.powi(power)));
        writeln!(out, "<path d=\"M{at:.1} {top}V{}\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>", HIGH - bottom, HIGH - 24.0).ok();
    }
    for power in times.0 as i32..=times.1 as i32 {
        let (value, at) = (10_f64.powi(power), y(10_f64.powi(power)));
        writeln!(out, "<path d=\"M{left} {at:.1}H{}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>", WIDE - right, left - 8.0, at + 4.0).ok();
    }
    let Some(first) = points.first() else { return out + "</svg>\n" };
    // What would grow as the notes do, from the first measurement to the top.
    let end = 10_f64.powf(times.1).min(first.processor * 10_f64.powf(notes.1) / f64::from(first.notes));
    let (from, to) = (f64::from(first.notes), f64::from(first.notes) * end / first.processor);
    writeln!(
        out,
        "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"#999\" stroke-dasharray=\"5 4\"/>",
        x(from),
        y(first.processor),
        x(to),
        y(end)
    )
    .ok();
    let lines: [(&str, &str, fn(&Point) -> f64); 2] = [
        ("#0b6e4f", "processor time of one", |point| point.processor),
        ("#a23b2a", "99th percentile as clients wait", |point| point.slow),
    ];
    for (number, (colour, name, of)) in lines.into_iter().enumerate() {
        let at: Vec<(f64, f64)> =
            points.iter().map(|point| (x(f64::from(point.notes)), y(of(point)))).collect();
        let path: Vec<String> = at.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        writeln!(
            out,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join("L")
        )
        .ok();
        for ((x, y), point) in at.iter().zip(points) {
            writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{colour}\">{:.1}</text>", y - 9.0, of(point)).ok();
        }
        writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" fill=\"{colour}\">{name}</text>",
            left + 12.0,
            top + 16.0 + 18.0 * number as f64
        )
        .ok();
    }
    writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" fill=\"#999\">dashed: growth with the notes</text>",
        left + 12.0,
        top + 52.0
    )
    .ok();
    out + "</svg>\n"
}

/// The powers of ten around some numbers.
fn span(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let ends = numbers.fold((f64::MAX, f64::MIN), |(low, high), number| (low.min(number), high.max(number)));
    let (low, high) = (ends.0.log10().floor(), ends.1.log10().ceil());
    (low, high.max(low + 1.0))
}
