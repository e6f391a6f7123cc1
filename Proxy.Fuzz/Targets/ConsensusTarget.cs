using System.Text;
using TorBalancer.Onion.Network;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Fuzz.Targets;

/// <summary>A consensus as tor hands it out, and behind a NUL the microdescriptors of its relays.</summary>
internal static class ConsensusTarget
{
    public static void Check(byte[] input)
    {
        string text = Encoding.Latin1.GetString(input);
        string[] parts = text.Split('\0', 2);
        var microdescriptors = Microdescriptors.Read(parts[^1]);
        if (ConsensusReader.TryRead(parts[0], microdescriptors, out var consensus, out string? error))
        {
            Expect.That(consensus.ValidAfter < consensus.FreshUntil && consensus.FreshUntil <= consensus.ValidUntil, "times are in order");
            Expect.That(consensus.Directories.Count > 0, "a consensus has directories");
            Expect.That(consensus.Directories.All(static one => one.Fingerprint.Length == 40), "a directory has a fingerprint");
        }
        else
        {
            Expect.That(error.Length > 0, "what is missing is said");
        }

        var exits = ExitConsensus.Parse(parts[0]);
        Expect.That(exits.TotalWeight >= 0, "weights are not negative");
    }
}
