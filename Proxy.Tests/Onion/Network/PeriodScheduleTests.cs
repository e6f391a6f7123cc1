using System.Text.Json.Nodes;
using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Network;

/// <summary>Terms and hash rings beside those of onionbalance, on the public network's times and on a testing network's.</summary>
public class PeriodScheduleTests
{
    private static readonly OnionServiceAddress[] Services =
        [.. OnionVectors.All["blinding"]!.AsArray().Select(static one => OnionVectors.Address(one!.Text("address")))];

    private static IEnumerable<TestCaseData> Vectors => OnionVectors.All["terms"]!.AsArray().Select(
        static one => new TestCaseData(one).SetArgDisplayNames(
            one!["isTestingNetwork"]!.ToString(), one["validAfter"]!.ToString(), one["hasSharedRandom"]!.ToString()));

    [TestCaseSource(nameof(Vectors))]
    public void Terms_and_directories_are_those_of_onionbalance(JsonNode vector)
    {
        var consensus = OnionVectors.Consensus(vector);
        var schedule = new PeriodSchedule(consensus, vector["isTestingNetwork"]!.GetValue<bool>());
        foreach (var order in new[] { DescriptorOrder.First, DescriptorOrder.Second })
        {
            var expected = vector["terms"]![(int)order]!;

            var term = schedule.Term(order);

            long runStart = expected["runStart"]!.GetValue<long>();
            Assert.That(term, Is.EqualTo(new DescriptorTerm(order, expected.Period(), expected.Bytes32("sharedRandom"), runStart)));
            var ring = new HashRing(consensus.Directories, term.Period, term.SharedRandom);
            for (int i = 0; i < Services.Length; i++)
            {
                var service = expected["services"]![i]!;
                var blinded = KeyBlinding.BlindedKey(Services[i], term.Period)!.Value;
                Assert.That(blinded, Is.EqualTo(service.Bytes32("blindedKey")));

                // Null where onionbalance itself errs: past the end of the ring it takes the first directory twice.
                var found = ring.Responsible(blinded, consensus.Replicas, consensus.SpreadStore);
                Assert.That(found, Has.Count.EqualTo(8));
                if (service["directories"] is JsonArray directories)
                {
                    Assert.That(
                        found.Select(static one => one.Relay.Fingerprint),
                        Is.EqualTo(directories.Select(static one => one!.GetValue<string>())));
                }
            }
        }
    }

    /// <summary>
    /// A client takes the current period, with the previous value until the next period begins and the current one from then on; so one of
    /// the two descriptors is always where it looks, also while consensuses of two hours are about.
    /// </summary>
    [Test]
    public void Clients_of_this_consensus_and_of_the_next_find_a_descriptor()
    {
        var vector = OnionVectors.All["terms"]![0]!.DeepClone();
        long day = vector["validAfter"]!.GetValue<long>();
        for (int hour = 0; hour < 48; hour++)
        {
            vector["validAfter"] = day + (hour * 3600);
            var published = Terms(vector);
            foreach (int later in new[] { -1, 0, 1 })
            {
                vector["validAfter"] = day + ((hour + later) * 3600);
                var schedule = new PeriodSchedule(OnionVectors.Consensus(vector), isTestingNetwork: false);
                Assert.That(published, Does.Contain(schedule.Current), $"hour {hour}, a client {later} ahead");
            }
        }

        static TimePeriod[] Terms(JsonNode entry)
        {
            var schedule = new PeriodSchedule(OnionVectors.Consensus(entry), isTestingNetwork: false);
            return [schedule.Term(DescriptorOrder.First).Period, schedule.Term(DescriptorOrder.Second).Period];
        }
    }
}
