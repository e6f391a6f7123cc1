using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Commands.Live;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Fuzz.Targets;

/// <summary>What our own processes tell each other: one of them may be of another version, or nothing of ours.</summary>
internal static class DaemonAnswersTarget
{
    /// <summary>Events as the command line reads and shows them.</summary>
    public static void Events(byte[] input)
    {
        var whole = Expect.Soon(ReadAsync(input, Pieces.Whole(input)));
        var cut = Expect.Soon(ReadAsync(input, Pieces.Of(input)));
        Expect.That(whole.SequenceEqual(cut), "events are the same however they arrive");
        foreach (var one in whole)
        {
            Expect.That(one.Id?.AsSpan().ContainsAny('\r', '\n') != true, "an id is one line: it goes into a header");
            string line = EventsCommand.Line(one, TextStyle.For(isTerminal: false, static _ => null));
            Expect.Same(Printable.Of(line), line, "what is shown moves no cursor and is one line");
        }
    }

    /// <summary>Frames of a takeover. The first byte says which message is read.</summary>
    public static void Takeover(byte[] input)
    {
        if (input.Length == 0)
            return;
        byte[] frames = input[1..];
        switch (input[0] % 5)
        {
            case 0:
                if (Check(frames, TakeoverJson.Default.TakeoverHello) is { } hello)
                    Expect.That(hello is { Versions: not null, Program: not null }, "a hello has what it needs");
                break;
            case 1:
                if (Check(frames, TakeoverJson.Default.TakeoverOffer) is { } offer)
                    Expect.That(offer is { Descriptors: not null, Program: not null }, "an offer has what it needs");
                break;
            case 2:
                if (Check(frames, TakeoverJson.Default.TakeoverReady) is { } ready)
                    Expect.That(ready.Workers is not null, "who is ready names its workers");
                break;
            case 3:
                if (Check(frames, TakeoverJson.Default.TakeoverState) is { } state)
                {
                    Expect.That(state is { Sessions.Sessions: not null, Relays.Epochs: not null }, "a state is whole");
                    Expect.That(state is { Workers: not null, Discovered: not null, VirtualNames: not null }, "a state is whole");
                }

                break;
            default:
                Check(frames, TakeoverJson.Default.TakeoverWord);
                break;
        }
    }

    /// <summary>The message; null where it is none, which is told by the only exception that is looked for.</summary>
    private static T? Check<T>(byte[] frames, JsonTypeInfo<T> type)
        where T : class
    {
        T message;
        try
        {
            using var stream = new PieceStream(frames, Pieces.Of(frames));
            message = Expect.Soon(new ValueTask<T>(TakeoverFrames.ReceiveAsync(stream, type, CancellationToken.None)));
        }
        catch (AggregateException failure) when (failure.InnerException is IOException)
        {
            return null;
        }

        string written = JsonSerializer.Serialize(message, type);
        string again = JsonSerializer.Serialize(JsonSerializer.Deserialize(written, type)!, type);
        Expect.Same(again, written, "what is written is the same when it is read");
        return message;
    }

    private static async ValueTask<List<ServerSentEvent>> ReadAsync(byte[] input, int[] ends)
    {
        await using var stream = new PieceStream(input, ends);
        var events = new List<ServerSentEvent>();
        await foreach (var one in ServerSentEvents.ReadAsync(stream, CancellationToken.None))
            events.Add(one);
        return events;
    }

    /// <summary>Gives no more at a time than has arrived.</summary>
    private sealed class PieceStream(byte[] bytes, int[] ends) : MemoryStream(bytes)
    {
        private int _piece;

        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, Arrived));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            Task.FromResult(Read(buffer, offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            byte[] read = new byte[Math.Min(buffer.Length, Arrived)];
            int count = base.Read(read, 0, read.Length);
            read.AsSpan(0, count).CopyTo(buffer.Span);
            return ValueTask.FromResult(count);
        }

        private int Arrived
        {
            get
            {
                while (_piece < ends.Length && ends[_piece] <= Position)
                    _piece++;
                return _piece < ends.Length ? (int)(ends[_piece] - Position) : 0;
            }
        }
    }
}
