//! temporary
#[tokio::main]
async fn main() {
    for _ in 0..10 {
        let t = std::time::Instant::now();
        let d = drill::Drill::start(Default::default()).await.expect("x");
        let a = t.elapsed();
        let t = std::time::Instant::now();
        let _ = d.picture();
        println!("start {a:?} picture {:?}", t.elapsed());
    }
}
