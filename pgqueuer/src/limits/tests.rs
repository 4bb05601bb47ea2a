use super::*;

#[test]
fn rates_are_read_and_written() {
    for (text, count, seconds, burst) in [
        ("100/s", 100, 1, 6),
        ("200/s", 200, 1, 11),
        ("5/s", 5, 1, 2),
        ("4/s", 4, 1, 1),
        ("10/min burst 5", 10, 60, 5),
        ("1/90s", 1, 90, 1),
        ("5000/h", 5000, 3600, 1),
        ("1000/s", 1000, 1, 51),
    ] {
        let rate: Rate = text.parse().unwrap();
        assert_eq!(
            (rate.count, rate.per.as_secs(), rate.burst),
            (count, seconds, burst)
        );
        assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate, "{rate}");
    }
    assert_eq!("100/1s".parse::<Rate>().unwrap().to_string(), "100/s");
    assert_eq!("7/90s".parse::<Rate>().unwrap().to_string(), "7/1m30s");
}

#[test]
fn what_is_no_rate_is_refused() {
    for (text, problem) in [
        (
            "",
            "`` is not a rate; write `100/s`, `10/min burst 5` or `1/90s`",
        ),
        (
            "100",
            "`100` is not a rate; write `100/s`, `10/min burst 5` or `1/90s`",
        ),
        (
            "-1/s",
            "`-1/s` is not a rate; write `100/s`, `10/min burst 5` or `1/90s`",
        ),
        (
            "1/fortnight",
            "`1/fortnight` is not a rate; write `100/s`, `10/min burst 5` or `1/90s`",
        ),
        (
            "0/s",
            "a rate of 0 is out of range, from 1 to 1000000; to keep jobs from running, pause them",
        ),
        ("1/0s", "the time of a rate is from 1 ms to 366 days"),
        (
            "1/s burst 0",
            "a burst of 0 is out of range, from 1 to 1000000",
        ),
    ] {
        assert_eq!(text.parse::<Rate>().unwrap_err().to_string(), problem);
    }
}
