using System.Buffers;
using System.Text;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.Fuzz.Targets;

/// <summary>What a control port says: replies and events, cut out of the stream and read.</summary>
internal static class ControlTarget
{
    private const int Fingerprint = 40;

    public static void Check(byte[] input)
    {
        var (replies, end) = Read(input, Pieces.Whole(input));
        var (others, otherEnd) = Read(input, Pieces.Of(input));
        Expect.Same(end, otherEnd, "a control connection ends the same however its bytes arrive");
        Expect.That(
            replies.Select(TextOf).SequenceEqual(others.Select(TextOf)), "replies are the same however they arrive");
        Expect.That(replies.Sum(static reply => TextOf(reply).Length) <= 2 * input.Length, "replies are no longer than what came");
        var followers = new ControlFollowers();
        foreach (var reply in replies)
        {
            Check(reply);
            followers.Tell(reply);
        }
    }

    private static void Check(ControlReply reply)
    {
        ControlProtocolInfo.Parse(reply);
        BootstrapStatus.Parse(reply.Text);
        TorVersion.TryParse(reply.Text);
        Expect.That(ConfChangedEvent.Parse(reply.Lines) is not null, "any lines are options");
        foreach (var line in reply.Lines)
        {
            CheckLine(line.Text);
            if (line.Data is { } data)
                CheckData(data);
        }

        if (!reply.IsAsynchronous)
            return;
        switch (ControlEventParser.Parse(reply))
        {
            case CircuitEvent { Circuit: var circuit }:
                CheckCircuit(circuit);
                break;
            case StreamEvent { Stream: var stream }:
                Expect.That(stream.SourcePort is null or (> 0 and <= 65535), "a port is one");
                Expect.That(stream.Target.StartsWith(stream.TargetHost, StringComparison.Ordinal), "a target begins with its host");
                break;
            case StatusEvent status:
                Expect.That(BootstrapStatus.FromEvent(status) is null or { Progress: >= 0 and <= 100 }, "progress is 0 to 100");
                break;
            case BuildTimeoutEvent { Timeout: { } timeout }:
                Expect.That(timeout >= TimeSpan.Zero, "a time-out is not negative");
                break;
            case OrConnEvent { Relay: { } relay }:
                CheckRelay(relay);
                break;
        }
    }

    private static void CheckCircuit(CircuitInfo circuit)
    {
        Expect.That(Enum.IsDefined(circuit.Status), "a status is a known one or Unknown");
        _ = circuit.TimeCreated;
        foreach (var relay in circuit.Path)
            CheckRelay(relay);
    }

    private static void CheckRelay(RelayName relay)
    {
        if (relay.Fingerprint.Length == Fingerprint)
            Expect.Same(RelayName.Parse(relay.ToString()), relay, "a relay's name can be read again");
    }

    private static void CheckLine(string text)
    {
        string quoted = ControlString.Quote(text);
        Expect.That(ControlString.TryUnquote(quoted, out string? value, out int consumed), "a quoted string ends");
        Expect.Same((ControlString.ToUtf8(value!), consumed), (text, quoted.Length), "a quoted string is what was quoted");
        if (ControlString.TryUnquote(text, out string? read, out int length))
            Expect.That(length <= text.Length && read.Length <= length - 2, "a string is no longer than its quotes");
        var tokens = new ControlTokens(text);
        while (tokens.TryWord(out string word))
            Expect.That(word.Length <= text.Length, "a word is a part of its line");
        StreamInfo.TryParse(text);
        CircuitInfo.TryParse(text);
    }

    private static void CheckData(string data)
    {
        var consensus = ExitConsensus.Parse(data);
        Expect.That(consensus.TotalWeight >= 0, "weights are not negative");
        Expect.That(ExitConsensus.AddressesOf(data).Count() <= data.Length, "each exit has one address");
    }

    private static (List<ControlReply> Replies, string End) Read(byte[] input, int[] ends)
    {
        var parser = new ControlProtocolParser();
        var replies = new List<ControlReply>();
        int start = 0;
        foreach (int end in ends)
        {
            var buffer = Pieces.Sequence(input, ends, start, end);
            try
            {
                while (parser.TryRead(ref buffer, out var reply))
                    replies.Add(reply);
            }
            catch (ControlProtocolException failure)
            {
                return (replies, failure.Message);
            }

            start = end - (int)buffer.Length;
        }

        return (replies, "");
    }

    private static string TextOf(ControlReply reply)
    {
        var text = new StringBuilder().Append(reply.Code).Append(' ');
        foreach (var line in reply.Lines)
            text.Append(line.Text).Append('\n').Append(line.Data);
        return text.ToString();
    }
}
