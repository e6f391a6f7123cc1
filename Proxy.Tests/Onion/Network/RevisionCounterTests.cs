using System.Text.Json.Nodes;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Network;

public class RevisionCounterTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);

    private static IEnumerable<TestCaseData> Vectors => OnionVectors.All["revisions"]!.AsArray().Select(
        static one => new TestCaseData(one!).SetArgDisplayNames(one!.Text("form"), one!["elapsed"]!.ToString()));

    [TestCaseSource(nameof(Vectors))]
    public void At_is_the_counter_of_onionbalance(JsonNode vector)
    {
        using var key = vector.Text("form") == "pem"
            ? IdentityKey.FromSeed(vector.Bytes("key"))
            : IdentityKey.FromExpanded(vector.Bytes("key"));

        ulong counter = RevisionCounter.At(key, Start.ToUnixTimeSeconds(), Start.AddSeconds(vector["elapsed"]!.GetValue<long>()));

        Assert.That(counter.ToString(), Is.EqualTo(vector.Text("counter")));
    }

    [Test]
    public void At_rises_every_second_and_bears_any_clock()
    {
        using var key = OnionVectors.BalancedIdentity;
        ulong last = 0;
        for (int second = 0; second < 2000; second++)
        {
            ulong counter = RevisionCounter.At(key, Start.ToUnixTimeSeconds(), Start.AddSeconds(second));
            Assert.That(counter, Is.GreaterThan(last));
            last = counter;
        }

        Assert.That(RevisionCounter.At(key, Start.ToUnixTimeSeconds(), DateTimeOffset.UnixEpoch), Is.Positive);
        Assert.That(RevisionCounter.At(key, Start.ToUnixTimeSeconds(), DateTimeOffset.MaxValue), Is.GreaterThan(last));
    }
}
