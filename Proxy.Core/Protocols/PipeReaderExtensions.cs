using System.IO.Pipelines;

namespace TorBalancer.Protocols;

/// <summary>A read, or the fact that the peer broke the connection.</summary>
internal readonly record struct PipeRead(ReadResult Result, bool IsBroken);

internal static class PipeReaderExtensions
{
    /// <summary>As ReadAsync, but a reset connection is a result. Nothing is to be advanced when it is broken.</summary>
    public static async ValueTask<PipeRead> ReceiveAsync(this PipeReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return new PipeRead(await reader.ReadAsync(cancellationToken), false);
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            return new PipeRead(default, true);
        }
    }

    /// <summary>
    /// Takes back a CancelPendingRead that no read has seen, and un-examines what is buffered, so that the next reader
    /// starts with the bytes that are there.
    /// </summary>
    public static void TakeBackCancel(this PipeReader reader)
    {
        try
        {
            if (reader.TryRead(out var result))
                reader.AdvanceTo(result.Buffer.Start, result.Buffer.Start);
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            // broken meanwhile: the next read says so
        }
    }
}
