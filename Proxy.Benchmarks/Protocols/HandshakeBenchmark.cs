using System.Text;
using BenchmarkDotNet.Attributes;
using TorBalancer.Benchmarks.Support;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Protocols.Http;
using TorBalancer.Protocols.Socks4;
using TorBalancer.Protocols.Socks5;

namespace TorBalancer.Benchmarks.Protocols;

/// <summary>A client's whole handshake without a network: detected, read message by message, answered.</summary>
[MemoryDiagnoser]
public class HandshakeBenchmark
{
    private static readonly Anyone Everybody = new();
    private static readonly HttpServerSettings HttpSettings = new("c-1", TimeSpan.FromSeconds(15));

    private ScriptedConnection _socks5 = null!, _password = null!, _socks4 = null!, _connect = null!;

    [GlobalSetup]
    public void Setup()
    {
        HostEndPoint.TryCreate("www.example.com", 443, out var target);
        var frame = new byte[Socks5Writer.MaxMessageLength];
        byte[] request = frame[..Socks5Writer.WriteMessage(frame, Socks5.CommandConnect, target)];
        byte[] auth = frame[..Socks5Writer.WriteAuth(frame, "session-abc"u8, "secret"u8)];
        _socks5 = new ScriptedConnection([5, 1, 0], request);
        _password = new ScriptedConnection([5, 2, 0, 2], auth, request);
        _socks4 = new ScriptedConnection([4, 1, 1, 0xBB, 0, 0, 0, 1, 0, .. "www.example.com"u8, 0]);
        _connect = new ScriptedConnection(
            Encoding.ASCII.GetBytes("CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n"));
    }

    [Benchmark(Baseline = true)]
    public async Task<int> Socks5NoAuth() =>
        await ServeAsync(_socks5, new Socks5ServerHandshake(_socks5, Everybody, extendedErrors: false));

    [Benchmark]
    public async Task<int> Socks5Password() =>
        await ServeAsync(_password, new Socks5ServerHandshake(_password, Everybody, extendedErrors: false));

    [Benchmark]
    public async Task<int> Socks4a() => await ServeAsync(_socks4, new Socks4ServerHandshake(_socks4, Everybody));

    [Benchmark]
    public async Task<int> HttpConnect()
    {
        _connect.Rewind();
        await DetectAsync(_connect);
        using var http = new HttpServerConnection(_connect, HttpSettings, Everybody, TimeProvider.System);
        var request = await http.ReadRequestAsync(CancellationToken.None);
        if (request.Kind != HttpServerRequestKind.Connect)
            throw new InvalidOperationException("the request is not understood");
        await http.ReplyConnectedAsync(null, CancellationToken.None);
        return request.Request!.Target.Port;
    }

    private static async Task<int> ServeAsync(ScriptedConnection client, IClientHandshake handshake)
    {
        client.Rewind();
        await DetectAsync(client);
        var result = await handshake.ReadRequestAsync(CancellationToken.None);
        await handshake.ReplyConnectedAsync(CancellationToken.None);
        return result.Request!.Target.Port;
    }

    private static async ValueTask DetectAsync(ScriptedConnection client)
    {
        while (!ProtocolDetector.TryDetect(client.Input, await client.Input.ReadAsync(), out _))
        {
        }
    }

    private sealed class Anyone : IClientAuthenticator
    {
        public bool RequiresCredentials => false;

        public bool TryCheck(ClientCredentials? credentials, out ProxyError error)
        {
            error = default;
            return true;
        }

        public ValueTask<ProxyError> CheckAsync(ClientCredentials credentials, CancellationToken cancellationToken) => default;
    }
}
