namespace TorBalancer.Admin.Fetch;

/// <summary>
/// What a decoder reads: the network, or the decoder below. It has an end in any case. Bytes that decode to nothing (empty members of
/// gzip, empty blocks) do not count as output, so a limit on that alone leaves the layers below without any.
/// </summary>
internal sealed class CodedStream(Stream source) : ReadOnlyStream
{
    /// <summary>Bytes. No coding makes more than twice of what it is given.</summary>
    public const long MaxLength = 2L * FetchBody.MaxLength;

    private FetchWork _work;
    private long _length;

    /// <exception cref="InvalidDataException">It is longer than any body that is wanted can be.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count = await source.ReadAsync(buffer, cancellationToken);
        if ((_length += count) > MaxLength)
            throw new InvalidDataException("the coded body is too long for what comes out of it");
        if (_work.Count(count))
            await FetchWork.YieldAsync(cancellationToken);
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            source.Dispose();
        base.Dispose(disposing);
    }
}
