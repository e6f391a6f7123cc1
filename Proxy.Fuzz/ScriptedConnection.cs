using System.IO.Pipelines;
using System.Net;
using TorBalancer.Transport;

namespace TorBalancer.Fuzz;

/// <summary>A peer that sends what it is given and takes everything at once.</summary>
internal sealed class ScriptedConnection(byte[] bytes, int[] ends) : TransportConnection
{
    private readonly MemoryStream _written = new();

    /// <summary>A peer that sends nothing.</summary>
    public ScriptedConnection()
        : this([], [])
    {
    }

    public ScriptedReader Script { get; } = new(bytes, ends);

    /// <summary>What was written to it.</summary>
    public byte[] Written => _written.ToArray();

    public override EndPoint? LocalEndPoint => null;

    public override IPAddress? RemoteAddress => null;

    public override PipeReader Input => Script;

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default)
    {
        _written.Write(data.Span);
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
