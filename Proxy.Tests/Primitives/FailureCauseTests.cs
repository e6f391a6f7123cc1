using TorBalancer.Primitives;
using TorBalancer.Protocols.Socks5;

namespace TorBalancer.Tests.Primitives;

public class FailureCauseTests
{
    private static readonly FailureCause[] All = Enum.GetValues<FailureCause>();

    [Test]
    public void Every_cause_has_a_word_of_its_own()
    {
        Assert.That(All.Select(static cause => cause.Word()), Is.Unique.And.All.Match("^[a-z_]+$"));
        foreach (var cause in All)
        {
            Assert.That(FailureCauses.TryParse(cause.Word(), out var parsed), Is.True);
            Assert.That(parsed, Is.EqualTo(cause));
        }
    }

    [Test]
    public void No_onion_error_counts_against_a_worker()
    {
        for (int reply = 0xF0; reply <= 0xF7; reply++)
            Assert.That(Socks5ReplyMapper.FromReply((byte)reply).Info().Side, Is.EqualTo(FailureSide.Target), $"0x{reply:X2}");
    }

    [Test]
    public void Replies_from_tor_reach_an_extended_listener_unchanged()
    {
        foreach (int reply in Enumerable.Range(1, 8).Concat(Enumerable.Range(0xF0, 8)))
            Assert.That(Socks5ReplyMapper.ToReply(Socks5ReplyMapper.FromReply((byte)reply), true), Is.EqualTo(reply));
    }

    [Test]
    public void No_extended_code_reaches_a_plain_listener_and_no_failure_looks_like_success()
    {
        foreach (var cause in All.Where(static cause => cause != FailureCause.None))
            Assert.That(Socks5ReplyMapper.ToReply(cause, false), Is.InRange(1, 8), cause.ToString());
    }
}
