//! The seconds as a picture: what was offered, served and refused, how long that took, and the memory.

use std::fmt::Write as _;

use super::second::{Second, percentile};

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 46.0;

/// From one panel to the next: its title, its legend and its axis included.
const STEP: f64 = HEIGHT + 74.0;

/// Colours that people tell apart who see fewer of them, by Okabe and Ito.
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

struct Panel<'a> {
    title: &'a str,
    lines: Vec<(&'a str, Vec<f64>)>,
}

/// A picture in SVG.
pub fn plot(title: &str, seconds: &[Second]) -> String {
    let panels = panels(seconds);
    #[expect(clippy::cast_precision_loss, reason = "there are a handful")]
    let height = TOP + STEP * panels.len() as f64;
    let width = LEFT + WIDTH + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{title}</text>\n"
    );
    let mut top = TOP;
    for panel in &panels {
        draw(&mut svg, panel, top);
        top += STEP;
    }
    svg + "</svg>\n"
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes of a test")]
fn panels(seconds: &[Second]) -> [Panel<'static>; 3] {
    let line = |of: &dyn Fn(&Second) -> f64| seconds.iter().map(of).collect::<Vec<f64>>();
    [
        Panel {
            title: "requests a second",
            lines: vec![
                ("offered", line(&|second| second.offered as f64)),
                ("refused", line(&|second| second.refused as f64)),
                ("served", line(&|second| second.served as f64)),
            ],
        },
        Panel {
            title: "99th percentile, ms",
            lines: vec![
                (
                    "decisions",
                    line(&|second| percentile(&second.decisions, 99)),
                ),
                ("refusals", line(&|second| percentile(&second.refusals, 99))),
                (
                    "admissions",
                    line(&|second| percentile(&second.admissions, 99)),
                ),
                ("probes", line(&|second| percentile(&second.probes, 99))),
            ],
        },
        Panel {
            title: "resident memory, MiB",
            lines: vec![(
                "server",
                line(&|second| second.resident as f64 / f64::from(1 << 20)),
            )],
        },
    ]
}

/// One panel. Writing to a string does not fail.
fn draw(svg: &mut String, panel: &Panel<'_>, top: f64) {
    let values = panel.lines.iter().flat_map(|(_, values)| values);
    let most = round_up(values.copied().fold(0.0, f64::max));
    let longest = panel.lines.iter().map(|(_, values)| values.len()).max();
    let longest = longest.unwrap_or(0).max(2) - 1;
    let bottom = top + 24.0 + HEIGHT;
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}</text>",
        top + 12.0,
        panel.title
    );
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        let y = bottom - share * HEIGHT;
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y}h{WIDTH}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            share * most
        );
        #[expect(clippy::cast_precision_loss, reason = "some minutes")]
        let second = (share * longest as f64).round();
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{second} s</text>",
            LEFT + share * WIDTH,
            bottom + 18.0
        );
    }
    let mut legend = LEFT + 180.0;
    for ((name, values), colour) in panel.lines.iter().zip(COLOURS) {
        let mut points = String::new();
        for (second, value) in values.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "some minutes")]
            let x = LEFT + second as f64 / longest as f64 * WIDTH;
            let y = bottom - value / most * HEIGHT;
            let _ = write!(points, "{x:.1},{y:.1} ");
        }
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\
             <text x=\"{legend}\" y=\"{}\" fill=\"{colour}\">{name}</text>",
            points.trim_end(),
            top + 12.0
        );
        legend += 90.0;
    }
}

/// The next of 1, 2, 4, 8, 10, 20, …
fn round_up(value: f64) -> f64 {
    let magnitude = 10_f64.powf(value.max(1e-9).log10().floor());
    let steps = [1.0, 2.0, 4.0, 8.0, 10.0];
    let step = steps.into_iter().find(|step| step * magnitude >= value);
    step.unwrap_or(10.0) * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_highest_is_at_the_top() {
        let second = |offered, served| Second {
            offered,
            served,
            decisions: vec![Duration::from_millis(5)],
            resident: 64 << 20,
            ..Second::default()
        };
        let svg = plot("overload", &[second(800, 0), second(400, 40)]);
        let offered = format!("points=\"{LEFT:.1},{:.1} {:.1}", TOP + 24.0, LEFT + WIDTH);
        assert!(svg.contains(&offered), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 8);
        assert!(svg.contains(">80</text>"), "64 MiB are below 80");
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, expected) in [
            (0.0, 1e-9),
            (7.0, 8.0),
            (8.0, 8.0),
            (81.0, 100.0),
            (1500.0, 2000.0),
        ] {
            assert!(
                (round_up(value) - expected).abs() <= expected * 1e-6,
                "{value}"
            );
        }
    }
}
