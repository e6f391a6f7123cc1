using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using TorBalancer.Primitives;
using TorBalancer.Protocols.Dns;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Connecting;

/// <summary>An address with its time to live, no address at all, or why nothing is known.</summary>
internal readonly record struct LinkDnsAnswer(IPAddress? Address, TimeSpan TimeToLive, ProxyError Error);

/// <summary>
/// Asks a worker's DNSPort over its link. tor serves UDP there, and its answers are small. Each question has a socket of
/// its own: bound to the link, connected to the server, on a port that the kernel picks.
/// </summary>
internal sealed class LinkDnsClient(TimeProvider time, DescriptorBudget? descriptors = null)
{
    private const int MaxReplyLength = 4096;

    // WireGuard drops what it cannot deliver at once; tor takes a question that it is working on already for the same one.
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(3);

    /// <param name="timeout">The longest that it may take.</param>
    /// <param name="cancellationToken">Cancelled when nobody waits for the result any more; throws then.</param>
    public async ValueTask<LinkDnsAnswer> AskAsync(
        WireGuardLink link, IPEndPoint server, string name, AddressFamily family, TimeSpan timeout, CancellationToken cancellationToken)
    {
        byte[] query = new byte[DnsMessage.MaxQueryLength];
        ushort id = BinaryPrimitives.ReadUInt16BigEndian(RandomNumberGenerator.GetBytes(2));
        int length = DnsMessage.WriteQuery(query, id, name, family);
        if (length == 0)
            return Failed(FailureCause.HostUnreachable, "the name cannot be a host's");
        if (timeout <= TimeSpan.Zero)
            return Failed(FailureCause.ConnectTimeout, "the time for connecting is over");
        using var timer = new CancellationTokenSource(timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            if (descriptors is not null && !descriptors.MayProbeHave((int)socket.Handle))
                return Failed(FailureCause.OutOfDescriptors, LinkFault.NothingLeft);
            link.To(server).Binding.Apply(socket);
            await socket.ConnectAsync(server, both.Token);
            return await ExchangeAsync(socket, query.AsMemory(0, length), both.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return Failed(FailureCause.ConnectTimeout, "the worker's DNSPort did not answer in time");
        }
        catch (SocketException failure)
        {
            return new LinkDnsAnswer(
                null, default, LinkFault.ToError(link, failure.SocketErrorCode, "nothing listens on the worker's DNSPort"));
        }
    }

    private async Task<LinkDnsAnswer> ExchangeAsync(Socket socket, ReadOnlyMemory<byte> query, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[MaxReplyLength];
        while (true)
        {
            await socket.SendAsync(query, SocketFlags.None, cancellationToken);
            using var again = new CancellationTokenSource(AskAgainAfter, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(again.Token, cancellationToken);
            try
            {
                while (true)
                {
                    int count = await socket.ReceiveAsync(buffer, SocketFlags.None, either.Token);
                    if (DnsMessage.TryParse(buffer.AsSpan(0, count), query.Span, out var reply))
                        return ToAnswer(reply);
                }
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // Lost on the way, or still being looked up: ask again.
            }
        }
    }

    private static LinkDnsAnswer ToAnswer(DnsReply reply) => reply.Code switch
    {
        _ when reply.IsCut => Failed(FailureCause.GeneralFailure, "the worker's DNSPort cut its answer short; tor's own never does"),
        0 => new LinkDnsAnswer(reply.Address, reply.TimeToLive, default),
        3 => Failed(FailureCause.HostUnreachable, "the name does not exist"),

        // tor says so of names that it cannot ask for as well: it may be the worker.
        _ => Failed(FailureCause.GeneralFailure, $"the worker's DNSPort could not resolve the name (code {reply.Code})"),
    };

    private static LinkDnsAnswer Failed(FailureCause cause, string detail) => new(null, default, new ProxyError(cause, detail));
}
