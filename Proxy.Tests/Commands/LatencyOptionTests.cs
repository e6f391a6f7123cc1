using TorBalancer.Daemon.Commands;

namespace TorBalancer.Tests.Commands;

/// <summary>--latency of testnet up and of run --testnet: what it takes, and what is said of the rest before anything is started.</summary>
public class LatencyOptionTests
{
    [TestCase("0")]
    [TestCase("0ms")]
    [TestCase("30ms")]
    [TestCase("500ms")]
    public void Duration_is_taken(string text) =>
        Assert.That(TestnetCommand.Create().Parse(["up", "--latency", text, "--workers", "2", "--exits", "2"]).Errors, Is.Empty);

    [TestCase("30", "--latency 30 has no unit; allowed is a duration from 0s to 500ms, such as 30ms")]
    [TestCase("-5ms", "--latency -5ms is not a duration; allowed is")]
    [TestCase("5h", "--latency 5h is out of range; allowed is")]
    [TestCase("501ms", "--latency 501ms is out of range; allowed is")]
    [TestCase("99999999999999999999ms", "--latency 99999999999999999999ms is ")]
    [TestCase("", "--latency  is not a duration; allowed is")]
    [TestCase("30ms,40ms", "--latency 30ms,40ms is not a duration; allowed is")]
    public void What_is_none_is_said(string text, string says) =>
        Assert.That(
            TestnetCommand.Create().Parse(["up", "--latency", text]).Errors.Select(static error => error.Message),
            Has.One.StartsWith(says));
}
