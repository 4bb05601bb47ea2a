//! A picture of the results: how steady the rates were, and how the pickups spread.

use std::{fs, path::Path};

use plotters::prelude::*;

use super::report::{Measured, Percentiles, Report, Run, grouped};
use crate::exit::{ExitCode, Failure};

const WIDTH: u32 = 900;
const PANEL_HEIGHT: u32 = 280;
const COLORS: [RGBColor; 4] = [
    RGBColor(31, 119, 180),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
];

/// A line of one run.
type Line = Vec<(f64, f64)>;

/// Writes an SVG with one panel for each test.
pub(super) fn draw(report: &Report, file: &Path) -> Result<(), Failure> {
    let mut text = String::new();
    render(report, &mut text).map_err(|error| failure(file).because(error.to_string()))?;
    fs::write(file, text).map_err(|error| failure(file).because(error))
}

fn failure(file: &Path) -> Failure {
    Failure::new(
        ExitCode::Unexpected,
        format!("failed to draw the plot {}", file.display()),
    )
}

fn render(report: &Report, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let panels = u32::try_from(report.tests.len())?;
    let area = SVGBackend::with_string(text, (WIDTH, PANEL_HEIGHT * panels)).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, test) in area
        .split_evenly((report.tests.len(), 1))
        .iter()
        .zip(&report.tests)
    {
        let pickups: Vec<&Percentiles> = test
            .runs
            .iter()
            .filter_map(|it| it.pickup.as_ref())
            .collect();
        let (title, across, up, lines) = if pickups.is_empty() {
            let lines = test.runs.iter().map(rates).collect();
            (
                format!("{}: jobs a second", name(test)),
                "seconds",
                "jobs/s",
                lines,
            )
        } else {
            let lines: Vec<Line> = pickups.iter().map(|it| up_to_p99(it)).collect();
            (
                format!("{}: time to pick up a job", name(test)),
                "percentile",
                "ms",
                lines,
            )
        };
        let end = |axis: fn(&(f64, f64)) -> f64| {
            let ends = lines.iter().flatten().map(axis);
            ends.fold(f64::MIN_POSITIVE, f64::max)
        };
        let mut chart = ChartBuilder::on(panel)
            .caption(title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(80)
            .build_cartesian_2d(0.0..end(|it| it.0), 0.0..end(|it| it.1) * 1.1)?;
        chart
            .configure_mesh()
            .x_desc(across)
            .y_desc(up)
            .y_label_formatter(&|value| grouped(*value))
            .x_label_formatter(&|value| format!("{value}"))
            .light_line_style(WHITE)
            .draw()?;
        for (line, color) in lines.into_iter().zip(COLORS.iter().cycle()) {
            chart.draw_series(LineSeries::new(line, color.stroke_width(2)))?;
        }
    }
    area.present()?;
    Ok(())
}

fn name(test: &Measured) -> &'static str {
    test.test.name()
}

/// The last percent is in the table: it would flatten all the others.
fn up_to_p99(pickup: &Percentiles) -> Line {
    let points = pickup.curve.iter().copied();
    points
        .filter(|(percentile, _)| *percentile <= 99.0)
        .collect()
}

/// From how many jobs were done by when to how many a second.
#[expect(
    clippy::cast_precision_loss,
    reason = "a number of jobs, for a picture"
)]
fn rates(run: &Run) -> Line {
    let pairs = run.series.windows(2);
    let rates = pairs.map(|pair| {
        let [(from, before), (to, after)] = pair else {
            return (0.0, 0.0);
        };
        (
            *to,
            after.saturating_sub(*before) as f64 / (to - from).max(f64::EPSILON),
        )
    });
    rates.collect()
}
