using System.IO.Pipelines;
using System.Net;
using System.Text;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Support;

/// <summary>A peer that takes everything at once and keeps each write apart; what it sends is given beforehand.</summary>
internal sealed class RecordingConnection : TransportConnection
{
    private readonly Pipe _input = new(new PipeOptions(pauseWriterThreshold: 0));

    public List<byte[]> Writes { get; } = [];

    public string Written => string.Concat(Writes.Select(Encoding.Latin1.GetString));

    public override EndPoint? LocalEndPoint => null;

    public override IPAddress? RemoteAddress => null;

    public override PipeReader Input => _input.Reader;

    /// <summary>Adds to what is at hand.</summary>
    public async Task SendAsync(byte[] data) => await _input.Writer.WriteAsync(data);

    public void Finish() => _input.Writer.Complete();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default)
    {
        Writes.Add(data.ToArray());
        return ValueTask.CompletedTask;
    }

    public override bool TryClaim() => true;

    public override void Schedule(IThreadPoolWorkItem work) => throw new NotSupportedException();

    public override void ShutdownSend()
    {
    }

    public override void Abort()
    {
    }

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
