//! Text in columns.

/// Lines up `rows` under `titles`. A column without anything in it is left out.
pub(crate) fn render(titles: &[&str], rows: &[Vec<String>]) -> String {
    let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
    let columns: Vec<usize> = (0..titles.len())
        .filter(|column| rows.iter().any(|row| !cell(row, *column).is_empty()))
        .collect();
    let header: Vec<String> = titles.iter().map(|it| it.to_uppercase()).collect();

    let mut lines = vec![String::new(); rows.len() + 1];
    for column in columns {
        let cells: Vec<String> = std::iter::once(&header)
            .chain(rows)
            .map(|row| cell(row, column))
            .collect();
        let width = cells.iter().map(|it| it.chars().count()).max().unwrap_or(0);
        for (line, text) in lines.iter_mut().zip(cells) {
            if !line.is_empty() {
                *line += "  ";
            }
            *line += &format!("{text:width$}");
        }
    }
    let lines: Vec<&str> = lines.iter().map(|it| it.trim_end()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_empty_ones_are_left_out() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["a", "", "1"]), row(["größer", "", "22"])];
        assert_eq!(
            render(&["kind", "alias", "n"], &rows),
            "KIND    N\na       1\ngrößer  22"
        );
    }
}
