using System.Buffers.Binary;

namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>
/// The worker's side of SOCKS5, as tor does it: user/password is preferred where it is offered, its method reply is left out when
/// greeting and password arrive together, and the answer to the request is a write of its own.
/// </summary>
internal sealed class StubHandshake
{
    private const int Capacity = 640;

    private readonly byte[] _received = new byte[Capacity];
    private int _length;
    private Stage _stage;

    private enum Stage : byte
    {
        Greeting,
        Auth,
        Request,
    }

    /// <summary>Where to put what arrives next; empty when the client says more than a handshake can have.</summary>
    public Span<byte> Free => _received.AsSpan(_length);

    /// <summary>What the client sent behind its request.</summary>
    public ReadOnlySpan<byte> Left => _received.AsSpan(0, _length);

    public void Reset()
    {
        _length = 0;
        _stage = Stage.Greeting;
    }

    /// <summary>Takes in what arrived. True when the request was read.</summary>
    /// <param name="answers">What is to be sent before the answer to the request.</param>
    public bool Advance(int received, Span<byte> answers, out int answersLength, out int targetPort)
    {
        _length += received;
        answersLength = 0;
        targetPort = 0;
        while (true)
        {
            var rest = _received.AsSpan(0, _length);
            switch (_stage)
            {
                case Stage.Greeting when rest.Length >= 2 && rest.Length >= 2 + rest[1]:
                    bool password = rest.Slice(2, rest[1]).Contains((byte)2);
                    Drop(2 + rest[1]);
                    _stage = password ? Stage.Auth : Stage.Request;
                    if (password && HasAuth)
                        break;
                    answers[answersLength++] = 5;
                    answers[answersLength++] = password ? (byte)2 : (byte)0;
                    break;

                case Stage.Auth when HasAuth:
                    Drop(3 + rest[1] + rest[2 + rest[1]]);
                    _stage = Stage.Request;
                    answers[answersLength++] = 1;
                    answers[answersLength++] = 0;
                    break;

                case Stage.Request when rest.Length >= 5 && rest.Length >= RequestLength(rest):
                    int length = RequestLength(rest);
                    targetPort = BinaryPrimitives.ReadUInt16BigEndian(rest[(length - 2)..]);
                    Drop(length);
                    return true;

                default:
                    return false;
            }
        }
    }

    private bool HasAuth => _length >= 2 && _length >= 3 + _received[1] && _length >= 3 + _received[1] + _received[2 + _received[1]];

    private static int RequestLength(ReadOnlySpan<byte> request) => request[3] switch { 1 => 10, 4 => 22, _ => 7 + request[4] };

    private void Drop(int count)
    {
        _received.AsSpan(count, _length - count).CopyTo(_received);
        _length -= count;
    }
}
