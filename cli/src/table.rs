//! Plain tables for a terminal.

/// Rows under a heading, columns padded to their widest cell; columns named in `right` are right-aligned.
pub fn render(heading: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|h| h.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: &[String]| {
        let mut out = String::new();
        for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            match right.contains(&column) {
                true => out.push_str(&format!("{pad}{cell}  ")),
                false => out.push_str(&format!("{cell}{pad}  ")),
            }
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    };
    let mut out = line(&heading.iter().map(|h| h.to_string()).collect::<Vec<_>>());
    out.push_str(&line(&widths.iter().map(|w| "-".repeat(*w)).collect::<Vec<_>>()));
    rows.iter().for_each(|row| out.push_str(&line(row)));
    out
}

/// Base units as OPEN with all its decimals.
pub fn open(amount: u128) -> String {
    format!("{}.{:06}", amount / 1_000_000, amount % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["é".to_string(), "1".to_string()], vec!["long".to_string(), "100".to_string()]];
        assert_eq!(render(&["a", "n"], &rows, &[1]), "a       n\n----  ---\né       1\nlong  100\n");
        assert_eq!(open(1_234_567), "1.234567");
    }
}
