using System.Buffers;
using System.IO.Pipelines;

namespace TorBalancer.Protocols;

/// <summary>How far a parser got.</summary>
internal enum ParseStatus : byte
{
    /// <summary>The message is whole; the reader stands behind it.</summary>
    Done,

    /// <summary>So far it is a message, but more bytes are needed.</summary>
    NeedMore,

    /// <summary>This can never become a message.</summary>
    Invalid,

    /// <summary>The peer finished before the message was whole.</summary>
    Closed,
}

/// <summary>A pure parser: it reads from the start of the sequence each time and keeps no state.</summary>
internal delegate ParseStatus MessageParser<T>(ref SequenceReader<byte> reader, out T message);

/// <summary>Reads exactly one message; bytes behind it stay in the pipe.</summary>
internal static class MessageReader
{
    public static async ValueTask<(ParseStatus Status, T Message)> ReadAsync<T>(PipeReader input, MessageParser<T> parser, CancellationToken cancellationToken)
    {
        while (true)
        {
            var result = await input.ReadAsync(cancellationToken);
            var buffer = result.Buffer;
            var status = Parse(buffer, parser, out var message, out var consumed);
            if (status != ParseStatus.NeedMore)
            {
                input.AdvanceTo(consumed);
                return (status, message);
            }

            input.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted)
                return (ParseStatus.Closed, message);
        }
    }

    private static ParseStatus Parse<T>(ReadOnlySequence<byte> buffer, MessageParser<T> parser, out T message, out SequencePosition consumed)
    {
        var reader = new SequenceReader<byte>(buffer);
        var status = parser(ref reader, out message);
        consumed = reader.Position;
        return status;
    }
}
