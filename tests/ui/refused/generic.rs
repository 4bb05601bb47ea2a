use pgqueuer::job;

#[job]
async fn of_a_type<T: Send>(value: T) {
    drop(value);
}

#[job]
async fn of_a_lifetime<'a>(value: std::borrow::Cow<'a, str>) {
    drop(value);
}

#[job]
async fn of_a_number<const N: usize>(value: [u8; N]) {
    let _ = value;
}

#[job]
async fn with_a_bound(value: u8)
where
    u8: Copy,
{
    let _ = value;
}

fn main() {}
