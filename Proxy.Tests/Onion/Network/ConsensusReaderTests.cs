using TorBalancer.Onion.Network;
using TorBalancer.Tests.Onion.Support;

namespace TorBalancer.Tests.Onion.Network;

public class ConsensusReaderTests
{
    private static readonly string Text = OnionVectors.Balanced.Text("consensus");

    private static readonly string Micro = OnionVectors.Balanced.Text("microdescriptors");

    [Test]
    public void TryRead_finds_times_parameters_values_and_directories()
    {
        const string more = "params hsdir_spread_store=6 hsdir_n_replicas=99 HSV3MaxDescriptorSize=x ";
        var consensus = Read(Text.Replace("params ", more, StringComparison.Ordinal));

        Assert.Multiple(() =>
        {
            Assert.That(consensus.ValidAfter.ToString("u"), Is.EqualTo("2026-11-20 09:00:00Z"));
            Assert.That(consensus.VotingInterval, Is.EqualTo(3600));
            Assert.That(consensus.SpreadStore, Is.EqualTo(6));
            Assert.That(consensus.Replicas, Is.EqualTo(16), "brought into its range");
            Assert.That(consensus.MaxDescriptorSize, Is.EqualTo(50_000), "no number: the default");
            Assert.That(consensus.SpreadFetch, Is.EqualTo(3));
            Assert.That(consensus.CurrentSharedRandom, Is.Not.Null.And.Not.EqualTo(consensus.PreviousSharedRandom));

            // Of 60, each 7th has not the flag, each 11th not the protocol; of the others, each 13th has no microdescriptor.
            int[] able = [.. Enumerable.Range(0, 60).Where(static i => i % 7 != 3 && i % 11 != 5)];
            Assert.That(consensus.Directories, Has.Count.EqualTo(able.Count(static i => i % 13 != 6)));
            Assert.That(consensus.DirectoriesWithoutIdentity, Is.EqualTo(able.Count(static i => i % 13 == 6)));
            Assert.That(consensus.Directories.Select(static one => one.Identity), Is.Unique);
        });
    }

    [Test]
    public void IsReasonablyLive_within_a_day_of_its_validity()
    {
        var consensus = Read(Text);
        var day = TimeSpan.FromDays(1);
        Assert.Multiple(() =>
        {
            Assert.That(consensus.IsReasonablyLive(consensus.ValidAfter - day), Is.True);
            Assert.That(consensus.IsReasonablyLive(consensus.ValidUntil + day), Is.True);
            Assert.That(consensus.IsReasonablyLive(consensus.ValidAfter - day - TimeSpan.FromSeconds(1)), Is.False);
            Assert.That(consensus.IsReasonablyLive(consensus.ValidUntil + day + TimeSpan.FromSeconds(1)), Is.False);
        });
    }

    [Test]
    public void TryRead_says_what_is_missing()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Error("", Micro), Does.Contain("when it is valid"));
            string early = Text.Replace("fresh-until 2026", "fresh-until 2020", StringComparison.Ordinal);
            Assert.That(Error(early, Micro), Does.Contain("out of order"));
            Assert.That(Error(Text, ""), Does.Contain("no microdescriptor"));
            Assert.That(Error(Text[..Text.IndexOf("\nr ", StringComparison.Ordinal)], Micro), Does.Contain("no directory"));
        });
    }

    [Test]
    public void TryRead_bears_documents_that_are_cut_or_changed()
    {
        var random = new Random(17);
        for (int i = 0; i < 300; i++)
        {
            char[] text = Text[..random.Next(Text.Length)].ToCharArray();
            char[] micro = Micro[..random.Next(Micro.Length)].ToCharArray();
            for (int change = 0; change < 20 && text.Length > 0 && micro.Length > 0; change++)
            {
                text[random.Next(text.Length)] = (char)random.Next(256);
                micro[random.Next(micro.Length)] = (char)random.Next(256);
            }

            Assert.That(
                () => ConsensusReader.TryRead(new string(text), Microdescriptors.Read(new string(micro)), out _, out _), Throws.Nothing);
        }
    }

    private static NetworkConsensus Read(string text) =>
        ConsensusReader.TryRead(text, Microdescriptors.Read(Micro), out var consensus, out string? error)
            ? consensus
            : throw new ArgumentException(error);

    private static string? Error(string text, string microdescriptors) =>
        ConsensusReader.TryRead(text, Microdescriptors.Read(microdescriptors), out _, out string? error) ? null : error;
}
