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
    /// <summary>
    /// What a read has brought: true when it is a whole message, or can become none. On false, read again. The waiting is the
    /// caller's, because each method that waits costs every connection its state.
    /// </summary>
    /// <example><c>while (!MessageReader.TryTake(input, await input.ReadAsync(token), parser, out status, out message)) { }</c></example>
    public static bool TryTake<T>(PipeReader input, ReadResult result, MessageParser<T> parser, out ParseStatus status, out T message)
    {
        var buffer = result.Buffer;
        var reader = new SequenceReader<byte>(buffer);
        status = parser(ref reader, out message);
        if (status != ParseStatus.NeedMore)
        {
            input.AdvanceTo(reader.Position);
            return true;
        }

        input.AdvanceTo(buffer.Start, buffer.End);
        if (!result.IsCompleted)
            return false;
        status = ParseStatus.Closed;
        return true;
    }

    /// <summary>As <see cref="TryTake"/>, with the waiting.</summary>
    public static async ValueTask<(ParseStatus Status, T Message)> ReadAsync<T>(
        PipeReader input, MessageParser<T> parser, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (TryTake(input, await input.ReadAsync(cancellationToken), parser, out var status, out var message))
                return (status, message);
        }
    }
}
