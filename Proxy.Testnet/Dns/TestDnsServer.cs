using System.Net;
using System.Net.Sockets;

namespace TorBalancer.Testnet.Dns;

/// <summary>A name server of the test network: UDP on loopback, one zone, nothing forwarded anywhere.</summary>
internal sealed class TestDnsServer : IAsyncDisposable
{
    // Tor clamps what it caches to 60 s at least; a longer one would only hide changes from tests.
    private const int TtlSeconds = 60;
    private const int MaxMessage = 1500;

    private readonly Socket _socket;
    private readonly TestZone _zone;
    private readonly DnsQuestionLog? _questions;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;

    private TestDnsServer(Socket socket, TestZone zone, DnsQuestionLog? questions)
    {
        _socket = socket;
        _zone = zone;
        _questions = questions;
        LocalEndPoint = (IPEndPoint)socket.LocalEndPoint!;
        _serving = ServeAsync();
    }

    public IPEndPoint LocalEndPoint { get; }

    /// <summary>Binds and serves until disposed. Throws <see cref="SocketException"/> when the port cannot be had.</summary>
    /// <param name="questions">Where the names that are asked for are kept; null: nowhere.</param>
    public static TestDnsServer Start(IPEndPoint address, TestZone zone, DnsQuestionLog? questions = null)
    {
        LoopbackGuard.Require(address);
        var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            socket.Bind(address);
            return new TestDnsServer(socket, zone, questions);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving;
        _socket.Dispose();
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        byte[] input = new byte[MaxMessage];
        byte[] output = new byte[MaxMessage];
        var from = new SocketAddress(_socket.AddressFamily);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                int length = await _socket.ReceiveFromAsync(input, SocketFlags.None, from, _stop.Token);
                if (!DnsMessage.TryReadQuestion(input.AsMemory(0, length), out DnsQuestion question))
                    continue;
                _questions?.Add(question.Name);
                if (_zone.Resolve(question.Name, question.Type) is not { } answer)
                    continue;
                int size = DnsMessage.WriteResponse(output, input, question, answer, TtlSeconds);
                await _socket.SendToAsync(output.AsMemory(0, size), SocketFlags.None, from, _stop.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException)
            {
                // A client that has gone (ICMP port unreachable) or a full send queue: its next question is a new chance.
            }
        }
    }
}
